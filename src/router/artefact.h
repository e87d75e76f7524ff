// A trained router as a file: a line of JSON that says what it is, then its numbers. Versioned and hashed.
//
// Written by src/train, read when a configuration is loaded. A file that is cut, changed or of another
// version is refused with a sentence. Plain values; numbers are little-endian float32, as on every machine
// that Brevet runs on.
//
// File: "brevet-router 1\n", one line of JSON (RouterInfo, tensors with shape, SHA-256 of the numbers,
// SHA-256 of the line without that field), then the tensors in the order of their names.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "router/router.h"

namespace brevet {

struct Tensor {
  std::vector<std::uint32_t> shape;  ///< row-major; product = values.size()
  std::vector<float> values;
};

struct Artefact {
  RouterInfo info;
  std::map<std::string, Tensor> tensors;  ///< a kind's own numbers
  std::string hash;                       ///< SHA-256 hex of the whole file; set by both functions below

  /// Errors (kCallerInvalid): router_corrupt when it is missing or of another shape; a 0 in `shape` stands
  /// for any length.
  Result<const Tensor*> tensor(const std::string& name, const std::vector<std::uint32_t>& shape) const;
};

/// Errors: router_unreadable, router_corrupt (not such a file, cut, or a hash differs), router_version (made
/// by a newer Brevet).
Result<std::shared_ptr<const Artefact>> read_artefact(const std::string& path);
/// From bytes, as read_artefact; `name` is for messages.
Result<std::shared_ptr<const Artefact>> parse_artefact(std::string_view bytes, const std::string& name);
std::string artefact_bytes(const Artefact& artefact);
/// Through a temporary file and a rename, so that a reload never meets half a file. Errors:
/// router_unwritable.
Result<std::string> write_artefact(const Artefact& artefact, const std::string& path);  ///< -> its hash

}  // namespace brevet
