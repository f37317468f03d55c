/**
 * What the spool asks of a file system: a value, so that a test can give one whose disk is full.
 *
 * @internal
 */
import * as fs from "node:fs"
import * as path from "node:path"

export interface SpoolIo {
  readonly open: (file: string) => Promise<number>
  /** Writes all of the bytes from a position on. */
  readonly write: (fd: number, bytes: Uint8Array, position: number) => Promise<void>
  /** Cuts a file: what a write that failed has left. */
  readonly truncate: (fd: number, length: number) => Promise<void>
  readonly read: (fd: number, length: number, position: number) => Promise<Buffer>
  readonly close: (fd: number) => Promise<void>
  readonly readFile: (file: string) => Promise<Buffer>
  readonly writeFile: (file: string, bytes: Uint8Array | string) => Promise<void>
  readonly remove: (file: string) => Promise<void>
  readonly removeDirectory: (directory: string) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly makeDirectory: (directory: string) => Promise<void>
  readonly list: (directory: string) => Promise<ReadonlyArray<string>>
  readonly stat: (file: string) => Promise<{ readonly ino: number; readonly size: number; readonly mtimeMs: number }>
  /** Sets a file's time of change to now. */
  readonly touch: (file: string) => Promise<void>
  /** Opens a file, made where it does not exist: a matter of microseconds, as the next one. */
  readonly openSync: (file: string) => { readonly fd: number; readonly ino: number }
  /** Writes all of the bytes from a position on: into the memory of the operating system. */
  readonly writeSync: (fd: number, bytes: Uint8Array, position: number) => void
  /** Makes a folder that has a file in it from the moment on at which it can be seen. */
  readonly makeFolderSync: (folder: string, file: string, text: string) => void
}

const write = (fd: number, bytes: Uint8Array, position: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const next = (at: number): void => {
      fs.write(fd, bytes, at, bytes.length - at, position + at, (error, count) => {
        if (error !== null) return reject(error)
        if (at + count === bytes.length) return resolve()
        // Less than all is written where the disk is nearly full: the next try says what is wrong.
        if (count === 0) return reject(new Error("nothing could be written"))
        next(at + count)
      })
    }
    next(0)
  })

const read = (fd: number, length: number, position: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafeSlow(length)
    const next = (at: number): void => {
      fs.read(fd, buffer, at, length - at, position + at, (error, count) => {
        if (error !== null) return reject(error)
        if (count === 0 || at + count === length) return resolve(buffer.subarray(0, at + count))
        next(at + count)
      })
    }
    next(0)
  })

const opened = (file: string, flags: string): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.open(file, flags, 0o600, (error, fd) => (error === null ? resolve(fd) : reject(error)))
  })

const folderMode = { mode: 0o700 }

/**
 * Makes a directory and those above it. Node's own way to do so never comes back where a file system takes no folders and
 * says that something is missing, as `/proc` does: it goes on making the parent, which is there, and trying again.
 */
export const makeDirectorySync = (directory: string): void => {
  try {
    fs.mkdirSync(directory, folderMode)
  } catch (error) {
    if (isThere(error)) return
    if (!isMissing(error) || path.dirname(directory) === directory) throw error
    makeDirectorySync(path.dirname(directory))
    try {
      fs.mkdirSync(directory, folderMode)
    } catch (again) {
      // Another process may have been quicker.
      if (!isThere(again)) throw again
    }
  }
}

const makeDirectory = async (directory: string): Promise<void> => {
  try {
    await fs.promises.mkdir(directory, folderMode)
  } catch (error) {
    if (isThere(error)) return
    if (!isMissing(error) || path.dirname(directory) === directory) throw error
    await makeDirectory(path.dirname(directory))
    await fs.promises.mkdir(directory, folderMode).catch((again: unknown) => {
      if (!isThere(again)) throw again
    })
  }
}

const isThere = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EEXIST"
const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT"

/** The file system of this machine. */
export const io: SpoolIo = {
  open: (file) => opened(file, "r+"),
  write,
  truncate: (fd, length) =>
    new Promise((resolve, reject) => fs.ftruncate(fd, length, (error) => (error === null ? resolve() : reject(error)))),
  read,
  close: (fd) => new Promise((resolve) => fs.close(fd, () => resolve())),
  readFile: (file) => fs.promises.readFile(file),
  writeFile: (file, bytes) => fs.promises.writeFile(file, bytes, { mode: 0o600 }),
  remove: (file) => fs.promises.unlink(file),
  removeDirectory: (directory) => fs.promises.rmdir(directory),
  rename: (from, to) => fs.promises.rename(from, to),
  makeDirectory,
  list: (directory) => fs.promises.readdir(directory),
  stat: (file) => fs.promises.stat(file),
  touch: async (file) => {
    const now = new Date()
    await fs.promises.utimes(file, now, now)
  },
  openSync: (file) => {
    const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
    return { fd, ino: fs.fstatSync(fd).ino }
  },
  writeSync: (fd, bytes, position) => {
    for (let at = 0; at < bytes.length;) {
      const count = fs.writeSync(fd, bytes, at, bytes.length - at, position + at)
      if (count === 0) throw new Error("nothing could be written")
      at += count
    }
  },
  makeFolderSync: (folder, file, text) => {
    const hidden = path.join(path.dirname(folder), `.${path.basename(folder)}`)
    makeDirectorySync(hidden)
    fs.writeFileSync(path.join(hidden, file), text, { mode: 0o600 })
    fs.renameSync(hidden, folder)
  }
}
