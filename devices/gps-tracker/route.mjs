/** A round trip through the old town of Bern, as latitude and longitude in degrees. */
const points = /** @type {const} */ ([
  [46.9489, 7.4391],
  [46.9481, 7.4474],
  [46.948, 7.4512],
  [46.9486, 7.4571],
  [46.9479, 7.4596],
  [46.9466, 7.4527],
  [46.9463, 7.4443],
])
const metresPerDegree = 111_320
const speedKmh = 30
const legs = points.map(([latitude, longitude], n) => {
  const [nextLatitude, nextLongitude] = points[(n + 1) % points.length] ?? points[0]
  const north = (nextLatitude - latitude) * metresPerDegree
  const east = (nextLongitude - longitude) * metresPerDegree * Math.cos((latitude * Math.PI) / 180)
  const courseDegrees = (Math.atan2(east, north) * 180) / Math.PI
  return {
    latitude,
    longitude,
    nextLatitude,
    nextLongitude,
    metres: Math.hypot(north, east),
    course: Math.round((courseDegrees + 360) % 360),
  }
})
const roundTripMetres = legs.reduce((total, { metres }) => total + metres, 0)

/**
 * Where the vehicle is.
 *
 * @param {number} seconds since it set off
 * @returns {{ latitude: number, longitude: number, speedKmh: number, courseDegrees: number }}
 */
export function position(seconds) {
  let rest = ((seconds * speedKmh) / 3.6) % roundTripMetres
  const leg = legs.find(({ metres }) => {
    if (rest < metres) return true
    rest -= metres
    return false
  })
  if (!leg) return position(0)
  const part = rest / leg.metres
  const degrees = (/** @type {number} */ from, /** @type {number} */ to) =>
    Number((from + (to - from) * part).toFixed(6))
  return {
    latitude: degrees(leg.latitude, leg.nextLatitude),
    longitude: degrees(leg.longitude, leg.nextLongitude),
    speedKmh,
    courseDegrees: leg.course,
  }
}
