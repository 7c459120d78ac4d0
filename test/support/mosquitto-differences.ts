/** Tests that Debian's mosquitto 2.0.11 does not pass, by name, and why. */
export const mosquittoDifferences = new Map<string, string>([
  ['authentication data without a method (section 3.1.2.11.10) is refused', 'accepts it'],
])
