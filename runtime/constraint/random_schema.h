// For tests: random schemas of everything that is supported, and values for them.

#ifndef SHOAL_RUNTIME_CONSTRAINT_RANDOM_SCHEMA_H_
#define SHOAL_RUNTIME_CONSTRAINT_RANDOM_SCHEMA_H_

#include <cstdint>
#include <random>
#include <string>

#include "nlohmann/json.hpp"

namespace shoal {

class RandomSchema {
 public:
  using Json = nlohmann::ordered_json;

  explicit RandomSchema(uint64_t seed) : random_(seed) {}

  // A document, up to `depth` containers inside each other, with a recursive
  // definition that it may refer to.
  Json Make(int depth);
  // A value of it, with the properties in the schema's order.
  Json Value(const Json& document) { return ValueOf(document, document, 3); }

  // Below n.
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

 private:
  Json Scalar();
  Json Object(int depth);
  Json Array(int depth);
  Json Schema(int depth);

  Json ValueOf(const Json& schema, const Json& document, int room);
  Json ObjectOf(const Json& schema, const Json& document, int room);
  Json ArrayOf(const Json& schema, const Json& document, int room);
  Json AnyValue(int room);
  std::string Text(int min, int max);

  std::mt19937_64 random_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_RANDOM_SCHEMA_H_
