const perAddress = 10_000
// The ports of an earlier run stay taken for a minute: each process has loopback addresses of its own.
const network = `127.0.${1 + (process.pid % 250)}`

/** The loopback address of the n-th client: one address has fewer than 28,232 ephemeral ports. @param {number} number */
export const localAddressOf = (number) => `${network}.${1 + Math.floor(number / perAddress)}`
