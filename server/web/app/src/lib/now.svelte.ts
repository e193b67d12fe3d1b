// The present, which moves on by half a minute at a time: what is told from now stays true.
let value = $state.raw(new Date())

setInterval(() => (value = new Date()), 30_000)

export const now = {
  get value() {
    return value
  },
}
