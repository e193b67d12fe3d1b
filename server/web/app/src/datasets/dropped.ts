// A file that was dropped on one page for the next: an address can't carry it.
export const dropped: { file: File | undefined } = { file: undefined }
