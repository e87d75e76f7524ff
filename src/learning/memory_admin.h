// What `brevet memory` does: list, show, forget, export, import; plain functions over a Store and a Memory
// loaded from it.
//
// Called by app while no gateway holds the store. Not thread-safe. Estimates and snapshots of a running
// gateway are not touched: they are rebuilt at its next start.
//
// Export is JSON Lines: a header {"brevet_memory":1}, then one object a line with "kind": "skill" | "guide" |
// "outcome", "id", "partition" {tenant, encoder, weak, reference, system}, times as RFC 3339 beside
// microseconds, embeddings as base64 of little-endian float32 ("embedding": null where there is none), words
// as [[index, value], ...].
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "store/store.h"

namespace brevet {

inline constexpr int kMemoryExportSchema = 1;

/// Skills and guides of the store, with the ids that models returned last. Outcomes are left out: estimates
/// are the learner's.
Result<std::unique_ptr<Memory>> load_memory(const Store& store, MemoryOptions options = {});

struct MemoryFilter {
  std::string tenant;     ///< empty = all
  std::string weak;       ///< configuration key, empty = all
  std::string reference;  ///< configuration key, empty = all
  bool skills = true;
  bool guides = true;
  std::size_t limit = 100;
};
/// Exactly one of skill and guide is set.
struct MemoryItem {
  Partition partition;
  SkillPtr skill;
  GuidePtr guide;
};
/// Newest first.
std::vector<MemoryItem> list_memory(const Memory& memory, const MemoryFilter& filter);
/// "s12" or "skill:12", "g3" or "guide:3", as printed by describe(). Errors: bad_memory_id,
/// unknown_memory_id, also for what another tenant than the one given remembers.
Result<MemoryItem> show_memory(const Memory& memory, std::string_view name, const std::string& tenant = {});
/// One line for a terminal, beginning with the name that show and forget take.
std::string describe(const MemoryItem& item);
/// JSON object without the embedding.
std::string item_json(const MemoryItem& item);

struct ForgetCount {
  std::size_t skills = 0;
  std::size_t guides = 0;
  std::size_t outcomes = 0;
  // Of a tenant only.
  std::size_t decisions = 0;
  std::size_t feedback = 0;
  std::uint64_t bytes_freed = 0;  ///< by which the file became smaller
};
/// A skill with its labelled outcomes; a guide with every skill learned through it. Errors: those of
/// show_memory and of the store.
Result<ForgetCount> forget_memory(Store& store, Memory& memory, std::string_view name);
/// Everything of one tenant: skills, guides, outcomes, decisions, feedback, and the texts in them, also from
/// the free pages of the file (Store::erase_tenant). Errors: those of the store.
Result<ForgetCount> forget_tenant(Store& store, Memory& memory, const std::string& tenant);

struct ExportCount {
  std::size_t skills = 0;
  std::size_t guides = 0;
  std::size_t outcomes = 0;
};
/// Of one tenant, or of all when it is empty. Errors: those of the store, export_failed when the stream
/// refuses.
Result<ExportCount> export_memory(const Store& store, std::ostream& out, const std::string& tenant = {});

struct ImportOptions {
  std::string encoder_hash;  ///< of the encoder in use; lines of another are refused unless `embed` is given
  /// Re-embeds stored text; lines of another encoder without text are then left out and counted. May be null.
  std::function<Result<Embedding>(std::string_view text)> embed;
  std::string tenant;  ///< lines of another tenant are refused (other_tenant); empty = all are taken
};
struct ImportCount {
  std::size_t skills = 0;  ///< new or replaced
  std::size_t guides = 0;
  std::size_t outcomes = 0;
  std::size_t left_out = 0;  ///< of another encoder and without text
};
/// All or nothing, in one transaction; ids are given anew and guides of skills follow. A skill of a request
/// that is known is replaced. Errors (with line and field): bad_memory_file, memory_file_newer,
/// other_encoder, other_tenant, and the store's.
Result<ImportCount> import_memory(Store& store, const Memory& memory, std::istream& in,
                                  const ImportOptions& options);

}  // namespace brevet
