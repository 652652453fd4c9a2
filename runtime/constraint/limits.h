// What one constraint may cost. A constraint comes from a stranger: each bound is
// on something counted, never on the clock, so that what is refused is refused
// everywhere.

#ifndef SHOAL_RUNTIME_CONSTRAINT_LIMITS_H_
#define SHOAL_RUNTIME_CONSTRAINT_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace shoal {

struct ConstraintLimits {
  size_t text_bytes = 65536;  // of a schema, of a regex, of all choices together
  int schema_depth = 32;      // objects and arrays inside each other, in the schema's own text
  int nesting = 32;           // in the output: free values inside each other, recursive references
  int group_depth = 64;       // groups inside each other in a regex
  int repetition = 4096;      // bounds of {m,n}, maxLength, maxItems
  size_t properties = 512;    // of one object; items of one prefixItems
  size_t entries = 4096;      // of one enum; choices
  size_t alternatives = 64;   // of one anyOf or oneOf
  size_t rules = 1024;        // subschemas that are compiled apart: references, items, free values
  size_t nfa_states = 200'000;
  size_t states = 32'768;      // of all deterministic automata together
  uint64_t work = 20'000'000;  // edges visited while making them
  int whitespace = 32;         // bytes between two JSON tokens; 0: compact output
  size_t cached_masks = 256;   // kept by one constraint, of each of two kinds
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_LIMITS_H_
