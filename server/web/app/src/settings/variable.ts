// A variable as the API has it.
export type Variable = {
  id: number
  name: string
  title: string
  type: string
  description: string
  derivation: string | null
  categories: { id: number; name: string }[]
  key: boolean
}
