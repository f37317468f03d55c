/**
 * The official clients of S3, which an application installs only if it uses the live layer.
 *
 * @internal
 */
import { optionalPeer } from "../optionalPeer.ts"

const module = "StorageLive"

export const {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand
} = await optionalPeer(module, "@aws-sdk/client-s3", () => import("@aws-sdk/client-s3"))
export type S3Client = import("@aws-sdk/client-s3").S3Client

export const { Upload } = await optionalPeer(module, "@aws-sdk/lib-storage", () => import("@aws-sdk/lib-storage"))

export const { getSignedUrl } = await optionalPeer(
  module,
  "@aws-sdk/s3-request-presigner",
  () => import("@aws-sdk/s3-request-presigner")
)
