/**
 * The error of the storage.
 *
 * @internal
 */
import { ServiceError } from "../../operation/ServiceError.ts"

/** A storage operation failed, for the reason inside. */
export class StorageError extends ServiceError("StorageError", "s3") {}
