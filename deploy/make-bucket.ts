/** Makes the bucket of `S3_BUCKET` where it is not there yet: what `compose.yaml` runs before the backend. */
import { CreateBucketCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3"

const { S3_BUCKET, S3_ENDPOINT, S3_FORCE_PATH_STYLE } = process.env

/** What is there already is as good. */
const there = ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"]

const make = async (bucket: string): Promise<string> => {
  const client = new S3Client({
    ...(S3_ENDPOINT === undefined || S3_ENDPOINT === "" ? {} : { endpoint: S3_ENDPOINT }),
    forcePathStyle: S3_FORCE_PATH_STYLE === "true"
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return "made"
  } catch (error) {
    if (error instanceof S3ServiceException && there.includes(error.name)) return "is there"
    throw error
  } finally {
    client.destroy()
  }
}

try {
  if (S3_BUCKET === undefined || S3_BUCKET === "") throw new Error("S3_BUCKET is not set; expected a bucket's name")
  process.stdout.write(`bucket ${S3_BUCKET}: ${await make(S3_BUCKET)}\n`)
} catch (error) {
  process.stderr.write(`make-bucket: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
