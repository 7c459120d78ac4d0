/** Quality of service: 0 at most once, 1 at least once, 2 exactly once (MQTT 5, section 4.3). */
export type QoS = 0 | 1 | 2
