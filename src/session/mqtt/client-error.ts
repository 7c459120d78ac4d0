/** Why a client cannot stay, though it did not break the protocol. */
export class ClientError extends Error {
  readonly reasonCode: number

  constructor(reasonCode: number, message: string) {
    super(message)
    this.name = 'ClientError'
    this.reasonCode = reasonCode
  }
}
