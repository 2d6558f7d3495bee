/** The subsystems a component may ask for. */
export type Services = never
