/**
 * The whole of docs/benchmarks.md.
 *
 * @param {Array<{ part: import('./parts/catalogue.mjs').Part, result: any }>} measured
 */
export function page(measured) {
  return `# Benchmarks

This page is written by \`npm run bench\`; do not edit it. Every figure on it was measured. Its parts are measured by
themselves, each with its own date and machine, and kept in \`bench/results/\`.

${measured.map(({ part, result }) => part.section(result)).join('\n\n')}

## How to run it again

\`\`\`sh
sudo apt-get install mosquitto rabbitmq-server
npm run bench                         # messages and queues; writes their parts of this page
npm run bench -- --load               # the load gates; writes their part
npm run bench -- --only queues        # the rows of queues; writes their part
npm run bench -- --quick              # without RabbitMQ, in about a minute; writes nothing
npm run bench -- --load --quick       # the load gates in small, writes nothing
npm run bench -- --only pairs-qos1 --rounds 3 --seconds 2
npm run bench -- --load --only soak   # one gate; writes its rows
npm run bench -- --help
\`\`\`

Use a machine that does nothing else, with at least two cores. Compare ratios rather than figures of different machines.
`
}
