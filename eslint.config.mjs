import effect from "@effect/eslint-plugin"
import tseslint from "typescript-eslint"

const restricted = [
  { object: "Math", property: "random", message: "Use Random." },
  { object: "Date", property: "now", message: "Use Clock." },
  { object: "process", property: "env", message: "Use Config." }
]

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "coverage/**", "bench/node_modules/**"] },
  ...effect.configs.dprint,
  {
    rules: {
      "@effect/dprint": ["error", {
        config: {
          indentWidth: 2,
          lineWidth: 120,
          semiColons: "asi",
          quoteStyle: "alwaysDouble",
          trailingCommas: "never",
          operatorPosition: "maintain",
          "arrowFunction.useParentheses": "force"
        }
      }]
    }
  },
  {
    files: ["**/*.ts"],
    languageOptions: { parser: tseslint.parser },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", {
        fixStyle: "inline-type-imports",
        disallowTypeAnnotations: false
      }],
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-restricted-globals": ["error", "fetch", "setTimeout", "setInterval"],
      "no-restricted-properties": ["error", ...restricted],
      "no-console": "error",
      "eqeqeq": "error",
      "prefer-const": "error",
      "object-shorthand": "error"
    }
  },
  {
    files: ["test/**/*.ts", "src/testing/conformance/**/*.ts", "examples/**/*.ts", "bench/**/*.ts", "*.ts"],
    rules: { "no-console": "off", "no-restricted-globals": "off", "no-restricted-properties": "off" }
  }
)
