// Serves the agents of this folder, and the small weather service that one of them asks.
import { createServer } from "node:http"
import { join } from "node:path"

const cities = {
  berlin: { temperature: 14, sky: "cloudy" },
  cairo: { temperature: 33, sky: "clear" },
  lima: { temperature: 19, sky: "overcast" },
  oslo: { temperature: 6, sky: "rain" },
  tokyo: { temperature: 22, sky: "clear" }
}

const weather = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost")
  const city = searchParams.get("city") ?? ""
  const found = pathname === "/weather" && Object.hasOwn(cities, city.toLowerCase())
    ? cities[city.toLowerCase()]
    : undefined
  response.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" })
  const known = Object.keys(cities).join(", ")
  response.end(
    JSON.stringify(found === undefined ? { error: `no weather for "${city}"; there is some for ${known}` } : found)
  )
})
weather.on("error", ({ message }) => console.error(`the weather agent will not work: ${message}`))
weather.listen(4112, "127.0.0.1")

const options = ["--config", join(import.meta.dirname, "sre.config.json")]
process.argv.splice(2, 0, "serve", join(import.meta.dirname, "agents"), ...options)
await import("../dist/bin/sre.js")
