// Stands in for aedes.js: the built Broker under aedes' name. The default export is aedes' own, a function that throws.
export { default } from 'aedes'
export { Broker as Aedes } from '../../dist/index.js'
