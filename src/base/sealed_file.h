// Files that say what they are: a first line with name and version, a line of JSON that carries its own hash,
// then a body. And how a whole file is read with a bound and replaced in one step.
//
// Used by every artefact that Brevet makes and reads again (trained routers, static encoders). Plain
// functions, thread-safe. Knows nothing of what is in the JSON: its owner keeps the body's hash there and
// checks it, so that a changed body is told apart from a changed line.
//
// File: "NAME VERSION\n", the head as one JSON object whose last member is "line_sha256" (SHA-256 hex of the
// object without that member), "\n", the body.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace brevet {

struct SealedFile {
  std::string head;       ///< JSON object without its seal
  std::string_view body;  ///< within the bytes that were opened
};

struct SealFault {
  /// Of the file, when it is whole so far and of another version; empty = not such a file, cut or changed.
  std::string version;
  std::string what;  ///< continues "it is not a whole file: "
};

/// `head`: a JSON object of one line with at least one member.
std::string sealed_bytes(std::string_view name, int version, std::string head, std::string_view body);
tl::expected<SealedFile, SealFault> open_sealed(std::string_view bytes, std::string_view name, int version);

/// The error is why, as a continuation of "cannot be read: ".
tl::expected<std::string, std::string> read_whole_file(const std::string& path, std::uintmax_t bytes_max);
/// Through a temporary file beside it, synced and renamed: who reads the path sees the old file or the new
/// one. The error is why, as a continuation of "cannot be written: ".
tl::expected<void, std::string> replace_file(const std::string& path, std::string_view bytes);

}  // namespace brevet
