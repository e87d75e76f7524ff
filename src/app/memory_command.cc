// `brevet memory list|show|forget|export|import`, on the store of a gateway that is not running.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/commands.h"
#include "app/gateway_process.h"
#include "app/open_encoder.h"
#include "gateway/money_ledger.h"
#include "gateway/share_dials.h"
#include "learning/memory_admin.h"

namespace brevet {
namespace {

int list(const Memory& memory, const MemoryFlags& flags) {
  MemoryFilter filter;
  filter.tenant = flags.tenant;
  filter.limit = flags.limit;
  const auto items = list_memory(memory, filter);
  for (const auto& item : items) std::cout << describe(item) << "\n";
  if (items.empty()) std::cout << "Nothing is remembered yet.\n";
  return 0;
}

void tell(const char* what, std::size_t skills, std::size_t guides, std::size_t outcomes) {
  std::cerr << what << " " << skills << " skills, " << guides << " guides, " << outcomes << " outcomes\n";
}

int import_from(Store& store, const Memory& memory, const std::string& file, const std::string& tenant,
                const std::string& encoder) {
  const auto embedding = open_embedding(encoder, {});
  if (!embedding) return complain(embedding.error());
  ImportOptions options;
  options.encoder_hash = (*embedding)->encoder().hash();
  options.tenant = tenant;
  options.embed = [&](std::string_view text) { return (*embedding)->encoder().embed(text); };
  std::ifstream stream;
  if (file != "-") {
    stream.open(file);
    if (!stream)
      return complain(
          {ErrorKind::kCallerInvalid, "file_unreadable", "Cannot read " + file + ".", "file", 0, ""}, 2);
  }
  const auto count = import_memory(store, memory, file == "-" ? std::cin : stream, options);
  if (!count) return complain(count.error());
  tell("Imported", count->skills, count->guides, count->outcomes);
  if (count->left_out > 0) {
    std::cerr << count->left_out
              << " entries of another encoder were left out: they hold no text to embed again\n";
  }
  return 0;
}

int export_to(const Store& store, const std::string& file, const std::string& tenant) {
  std::ofstream stream;
  if (file != "-") {
    stream.open(file);
    if (!stream)
      return complain(
          {ErrorKind::kCallerInvalid, "file_unwritable", "Cannot write " + file + ".", "file", 0, ""}, 2);
  }
  const auto count = export_memory(store, file == "-" ? std::cout : stream, tenant);
  if (!count) return complain(count.error());
  tell("Exported", count->skills, count->guides, count->outcomes);
  return 0;
}

/// A setting of the store without the tenant's rows.
template <class State>
Result<> forget_in_setting(Store& store, const char* name, const std::string& tenant) {
  const auto kept = store.setting(name);
  if (!kept) return tl::unexpected(kept.error());
  State state;
  if (!*kept || !state.restore(**kept)) return {};
  state.forget_tenant(tenant);
  WriteBatch batch;
  batch.settings.emplace_back(name, state.save());
  return store.commit(batch);
}

int forget_all_of(Store& store, Memory& memory, const std::string& tenant) {
  // First, so that the file is rewritten without them too.
  for (const auto& done : {forget_in_setting<MoneyLedger>(store, kLedgerSetting, tenant),
                           forget_in_setting<ShareDials>(store, kDialsSetting, tenant)}) {
    if (!done) return complain(done.error());
  }
  const auto forgotten = forget_tenant(store, memory, tenant);
  if (!forgotten) return complain(forgotten.error());
  tell("Forgot", forgotten->skills, forgotten->guides, forgotten->outcomes);
  std::cerr << "and " << forgotten->decisions << " decisions, " << forgotten->feedback << " feedback of "
            << tenant << ", with every text in them and its accounts; the file was rewritten and is "
            << forgotten->bytes_freed << " bytes smaller.\n";
  return 0;
}

}  // namespace

int memory_command(const MemoryFlags& flags) {
  const auto path = flags.data_dir + "/brevet.db";
  if (!std::filesystem::exists(path) && flags.action != "import") {
    return complain({ErrorKind::kCallerInvalid, "no_data",
                     "There is no " + path + "; name the gateway's data folder.", "--data-dir", 0, ""},
                    2);
  }
  std::error_code ignored;
  std::filesystem::create_directories(flags.data_dir, ignored);
  StoreOptions store_options;
  store_options.path = path;
  store_options.retention = Microseconds{0};
  auto store = open_store(store_options);
  if (!store) return complain(store.error());
  auto memory = load_memory(**store);
  if (!memory) return complain(memory.error());
  if (flags.action == "list") return list(**memory, flags);
  if (flags.action == "export") return export_to(**store, flags.file, flags.tenant);
  if (flags.action == "import")
    return import_from(**store, **memory, flags.file, flags.tenant, flags.encoder);
  if (flags.action == "show") {
    const auto item = show_memory(**memory, flags.name, flags.tenant);
    if (!item) return complain(item.error(), 2);
    std::cout << item_json(*item) << "\n";
    return 0;
  }
  if (flags.name.empty() == flags.tenant.empty()) {
    return complain({ErrorKind::kCallerInvalid, "contradictory",
                     "Say what to forget: a name as `brevet memory list` prints it, or --tenant NAME for "
                     "everything of a tenant.",
                     "name", 0, ""},
                    2);
  }
  if (flags.name.empty()) return forget_all_of(**store, **memory, flags.tenant);
  const auto forgotten = forget_memory(**store, **memory, flags.name);
  if (!forgotten) return complain(forgotten.error());
  tell("Forgot", forgotten->skills, forgotten->guides, forgotten->outcomes);
  return 0;
}

}  // namespace brevet
