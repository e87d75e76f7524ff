#include "eval/question_set.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include "base/random.h"
#include "dataset/prompt_text.h"
#include "features/lexical.h"
#include "upstream/recorded_model.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

namespace json = boost::json;

/// Lists this deep answer nearly every search once a tenth of the questions is remembered.
constexpr std::size_t kListDepth = 1024;
/// Pairs of answers whose comparison is kept: more than a data set has questions.
constexpr std::size_t kPairsMax = std::size_t{1} << 18;

std::string opaque_id(std::size_t number) {
  return "q" + std::to_string(number);
}

std::string base_name(const std::string& file) {
  auto name = std::filesystem::path(file).filename().string();
  for (const char* extension : {".gz", ".jsonl", ".json"}) {
    if (name.ends_with(extension)) name.resize(name.size() - std::string_view(extension).size());
  }
  return name;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  if (!in)
    return fail(ErrorKind::kCallerInvalid, "data_file_unreadable", "Cannot read " + path + ".", "data");
  return std::move(all).str();
}

std::uint32_t number_of(const std::string& name, std::vector<std::string>& names,
                        std::unordered_map<std::string, std::uint32_t>& numbers) {
  const auto [place, added] = numbers.try_emplace(name, static_cast<std::uint32_t>(names.size()));
  if (added) names.push_back(name);
  return place->second;
}

/// What a model's answer costs, asked as production asks.
Task<void> ask_cost(ModelClientPtr client, std::shared_ptr<const ChatRequest> request, std::string model,
                    Cost* out) {
  ModelCall call;
  call.configuration.model = std::move(model);
  call.request = std::move(request);
  const auto outcome = co_await client->call(std::move(call), nullptr);
  if (outcome) *out = outcome->cost;
}

struct Embedded {
  std::size_t done = 0;
  std::size_t failed = 0;
};

Task<void> embed_one(EmbeddingPool* pool, std::string text, PreparedRequest* out, Embedded* counts) {
  auto made = co_await pool->embed(std::move(text));
  ++counts->done;
  if (made) {
    // A copy of its own: neighbour lists know a vector by its address, and equal texts share theirs.
    out->features.embedding = std::make_shared<const Embedding>(**made);
  } else {
    ++counts->failed;
  }
}

}  // namespace

Result<std::shared_ptr<QuestionSet>> QuestionSet::load(const QuestionSetOptions& options) {
  if (options.models.size() < 2) {
    return fail(
        ErrorKind::kCallerInvalid, "missing_models",
        "Say at least two models for " + options.file + ", the weak one first and the strong one last.",
        "models");
  }
  std::shared_ptr<QuestionSet> out(new QuestionSet());
  out->options_ = options;
  out->name_ = options.name.empty() ? base_name(options.file) : options.name;
  auto bytes = read_file(options.file);
  if (!bytes) return fail(bytes.error());
  out->data_file_.path = options.file;
  out->data_file_.sha256 = sha256_hex(*bytes);
  out->content_hash_ = hash_bytes(*bytes);
  auto records = read_outcome_file(options.file);
  if (!records) return fail(records.error());
  if (!options.responses_file.empty()) {
    OutcomeReadOptions responses;
    responses.prompt = PromptField::kOptional;
    auto joined = join_responses(*records, options.responses_file, responses);
    if (!joined) return fail(joined.error());
    auto more = read_file(options.responses_file);
    if (!more) return fail(more.error());
    out->content_hash_ = hash_bytes(*more, out->content_hash_);
  }
  out->data_file_.records = records->size();
  for (const auto& model : options.models) {
    if (std::count(options.models.begin(), options.models.end(), model) > 1) {
      return fail(ErrorKind::kCallerInvalid, "contradictory",
                  model + " is named twice among the candidates for " + options.file + ".", "models");
    }
    const bool known = std::any_of(records->begin(), records->end(),
                                   [&](const OutcomeRecord& record) { return record.outcome(model); });
    if (!known) {
      return fail(ErrorKind::kCallerInvalid, "unknown_model",
                  options.file + " has no outcomes of " + model + ".", "models");
    }
  }
  if (auto done = out->clean(std::move(*records)); !done) return fail(done.error());
  if (auto done = out->make_clients(); !done) return fail(done.error());
  return out;
}

Result<> QuestionSet::clean(std::vector<OutcomeRecord> records) {
  auto drop = options_.drop;
  drop.models = options_.models;
  const auto dropped = drop_records(records, drop);
  dropped_ = {{"contaminated", dropped.contaminated},
              {"repeats of a kept prompt and choices", dropped.duplicates},
              {"same prompt and choices, different answers", dropped.conflicting}};
  std::uint64_t incomplete = 0;
  std::uint64_t subject = 0;
  std::vector<std::string> ids;
  for (const auto number : dropped.kept) {
    auto& record = records[number];
    if (!options_.without_subject.empty() && record.subject == options_.without_subject) {
      ++subject;
      continue;
    }
    const bool complete = std::all_of(options_.models.begin(), options_.models.end(),
                                      [&](const auto& model) { return record.outcome(model) != nullptr; });
    if (!complete) {
      ++incomplete;
      continue;
    }
    if (options_.questions_max > 0 && records_.size() >= options_.questions_max) break;
    ids.push_back(record.id);
    records_.push_back(std::move(record));
  }
  dropped_.push_back({"a candidate was not run on it", incomplete});
  if (!options_.without_subject.empty()) dropped_.push_back({"subject " + options_.without_subject, subject});
  std::erase_if(dropped_, [](const DropCount& count) { return count.n == 0; });
  if (records_.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_questions",
                "No record of " + options_.file + " has outcomes of every candidate.", "models");
  }
  std::unordered_map<std::string, std::uint32_t> numbers;
  for (const auto& record : records_)
    topic_of_.push_back(number_of(record.subject.empty() ? name_ : record.subject, topic_names_, numbers));
  if (auto done = read_groups(ids); !done) return done;
  std::vector<std::string> texts;
  std::vector<std::string> sources;
  for (const auto& record : records_) {
    texts.push_back(cluster_text(record));
    sources.push_back(record.source);
    // Turns of one source question go together, wherever they stand.
    text_keys_.push_back(hash_bytes(text_for_clusters(record.source.empty() ? texts.back() : record.source)));
  }
  clusters_ = cluster_texts(texts, {}, sources);
  split_ = split_for(options_.seed, options_.fit_labels);
  // The names of all models of the file: candidates first, then in the order of the file.
  table_.models = options_.models;
  for (const auto& record : records_) {
    for (const auto& [model, outcome] : record.models) {
      if (std::find(table_.models.begin(), table_.models.end(), model) == table_.models.end())
        table_.models.push_back(model);
    }
  }
  table_.questions = records_.size();
  table_.cells.resize(table_.models.size() * records_.size());
  return {};
}

Split QuestionSet::split_for(std::uint64_t seed, std::size_t labels) const {
  SplitOptions options;
  options.key = text_keys_;
  options.fitting_max = std::max(labels, options_.fit_labels_max);
  options.calibration_max = options_.calibration_labels;
  options.seed = seed;
  auto out = split_by_cluster(clusters_.of, topic_of_, options);
  if (labels >= out.fitting.size()) return out;
  // Fewer labels leave the calibration and test questions as they are.
  std::vector<std::uint32_t> cluster, topic;
  SplitOptions fewer;
  for (const auto question : out.fitting) {
    cluster.push_back(clusters_.of[question]);
    topic.push_back(topic_of_[question]);
    fewer.key.push_back(text_keys_[question]);
  }
  fewer.fitting_max = labels;
  fewer.test_share_min = 0;
  fewer.seed = seed;
  const auto part = split_by_cluster(cluster, topic, fewer);
  std::vector<std::uint32_t> kept;
  for (const auto place : part.fitting) kept.push_back(out.fitting[place]);
  out.fitting = std::move(kept);
  out.fitting_clusters = part.fitting_clusters;
  return out;
}

Result<> QuestionSet::read_groups(const std::vector<std::string>& ids) {
  if (options_.groups_file.empty()) {
    group_names_ = {name_};
    group_of_.assign(records_.size(), 0);
    return {};
  }
  auto text = read_file(options_.groups_file);
  if (!text) return fail(text.error());
  boost::system::error_code error;
  const auto value = json::parse(*text, error);
  const auto* object = error ? nullptr : value.if_object();
  if (!object) {
    return fail(ErrorKind::kCallerInvalid, "bad_groups_file",
                options_.groups_file + " is not a JSON object {record id: group}.", "groups");
  }
  std::unordered_map<std::string, std::uint32_t> numbers;
  for (const auto& id : ids) {
    const auto* group = object->if_contains(id);
    if (group && !group->is_string()) {
      return fail(ErrorKind::kCallerInvalid, "bad_groups_file",
                  "The group of " + id + " in " + options_.groups_file + " is not a string.", "groups");
    }
    group_of_.push_back(
        number_of(group ? std::string(group->get_string()) : "(no group)", group_names_, numbers));
  }
  return {};
}

Result<> QuestionSet::make_clients() {
  comparer_ = make_remembering_comparer(kPairsMax);
  auto copies = records_;
  for (std::size_t i = 0; i < copies.size(); ++i) copies[i].id = opaque_id(i);
  auto answers = RecordedAnswers::from_records(std::move(copies));
  if (!answers) return fail(answers.error());
  std::vector<std::shared_ptr<const ChatRequest>> requests;
  for (std::uint32_t i = 0; i < records_.size(); ++i) {
    auto made = request(i, 0, {});
    if (!made) return fail(made.error());
    PreparedRequest prepared;
    prepared.request = std::make_shared<const ChatRequest>(std::move(*made));
    prepared.features.statistics = text_statistics(prepared.request->last_user_text());
    requests.push_back(prepared.request);
    const auto place = prepared_.emplace(std::pair(i, 0U), std::move(prepared)).first;
    as_recorded_.push_back(&place->second);
  }
  costs_.resize(options_.models.size());
  CostTotal total;
  CostTotal total_of_all;
  for (std::size_t m = 0; m < table_.models.size(); ++m) {
    RecordedModelOptions model;
    model.model = table_.models[m];
    model.prices = options_.prices;
    model.scores_only = options_.truth_signal;
    model.bodies = false;
    auto client = make_recorded_model(*answers, model);
    if (!client) return fail(client.error());
    std::vector<Cost> costs(records_.size());
    asio::io_context context(1);
    for (std::uint32_t i = 0; i < records_.size(); ++i) {
      const auto* outcome = records_[i].outcome(model.model);
      if (!outcome) continue;
      table_.at(m, i).quality = outcome->score;
      asio::co_spawn(context, ask_cost(*client, requests[i], model.model, &costs[i]), asio::detached);
      if (i % 256 == 255) context.run(), context.restart();
    }
    context.run();
    for (std::uint32_t i = 0; i < records_.size(); ++i) {
      if (!costs[i].amount) continue;
      table_.at(m, i).cost = costs[i].amount->usd();
      total_of_all.add(costs[i]);
    }
    if (m < costs_.size()) {
      for (const auto& cost : costs) total.add(cost);
      costs_[m] = std::move(costs);
      clients_[model.model] = std::move(*client);
    }
  }
  basis_ = total.unknown_count > 0 || total.known_count == 0 ? CostBasis::kUnknown : total.basis;
  if (total_of_all.known_count > 0) basis_of_all_ = total_of_all.basis;
  return {};
}

std::string QuestionSet::text(std::uint32_t question, std::uint32_t variant) const {
  return surface_paraphrase(render_prompt(records_[question]), variant);
}

Result<ChatRequest> QuestionSet::request(
    std::uint32_t question, std::uint32_t variant,
    const std::vector<std::pair<std::uint32_t, std::uint32_t>>& earlier) const {
  json::array messages;
  const auto& system = records_[question].system_prompt;
  if (!system.empty()) messages.push_back(json::object{{"role", "system"}, {"content", system}});
  for (const auto& [before, before_variant] : earlier) {
    messages.push_back(json::object{{"role", "user"}, {"content", text(before, before_variant)}});
    const auto* outcome = records_[before].outcome(options_.models.back());
    const bool text_known = outcome && outcome->response;
    messages.push_back(json::object{
        {"role", "assistant"}, {"content", text_known ? *outcome->response : std::string("(answered)")}});
  }
  messages.push_back(json::object{{"role", "user"}, {"content", text(question, variant)}});
  return wire::parse_chat_request(
      json::serialize(json::object{{"model", "auto"},
                                   {"messages", std::move(messages)},
                                   {"metadata", json::object{{"brevet_record_id", opaque_id(question)}}}}));
}

Result<> QuestionSet::prepare(EmbeddingPool* pool, const std::vector<OrderedRequest>& requests, int threads,
                              const std::string& cache_folder,
                              const std::function<bool(std::size_t, std::size_t)>& progress) {
  for (const auto& wanted : requests) {
    const std::pair key(wanted.question, wanted.variant);
    if (prepared_.contains(key)) continue;
    auto made = request(wanted.question, wanted.variant, {});
    if (!made) return fail(made.error());
    PreparedRequest prepared;
    prepared.request = std::make_shared<const ChatRequest>(std::move(*made));
    prepared.features.statistics = text_statistics(prepared.request->last_user_text());
    prepared_.emplace(key, std::move(prepared));
  }
  Embedded counts;
  asio::io_context context(1);
  std::size_t started = 0;
  const auto wait = [&] {
    context.run();
    context.restart();
    return !progress || progress(counts.done, prepared_.size());
  };
  const auto interrupted = [] {
    return fail(ErrorKind::kCancelled, "interrupted", "Interrupted while questions were embedded.");
  };
  for (auto& [key, prepared] : prepared_) {
    const auto last = prepared.request->last_user_text();
    auto text = pool ? embedding_text(pool->encoder().tokenizer(), last, {}) : std::string(last);
    prepared.features.words = lexical_features(text);
    if (!pool || text.empty() || prepared.features.embedding) continue;
    asio::co_spawn(context, embed_one(pool, std::move(text), &prepared, &counts), asio::detached);
    if (++started % 256 == 0 && !wait()) return interrupted();
  }
  if (!wait()) return interrupted();
  if (counts.failed > 0) {
    return fail(ErrorKind::kInternal, "encoder_failed",
                std::to_string(counts.failed) + " questions of " + options_.file + " could not be embedded.");
  }
  if (!pool) return {};
  encoder_hash_ = pool->encoder().hash();
  measure_embedding(*pool);
  std::vector<std::shared_ptr<const Embedding>> embeddings;
  for (const auto& [key, prepared] : prepared_) embeddings.push_back(prepared.features.embedding);
  neighbours_ = cache_folder.empty()
                    ? KnownNeighbours::make(std::move(embeddings), kListDepth, threads)
                    : KnownNeighbours::cached(std::move(embeddings), kListDepth, threads, cache_folder);
  return {};
}

/// Texts may come from a cache, so that what one costs is measured on a few, one by one.
void QuestionSet::measure_embedding(const EmbeddingPool& pool) {
  constexpr std::size_t kMeasured = 16;
  std::vector<const PreparedRequest*> embedded;
  for (const auto& [key, prepared] : prepared_) {
    if (prepared.features.embedding) embedded.push_back(&prepared);
  }
  embedding_.texts = embedded.size();
  if (embedded.empty()) return;
  const auto cpu_seconds = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  };
  const std::size_t count = std::min(kMeasured, embedded.size());
  const auto started = std::chrono::steady_clock::now();
  const double cpu_started = cpu_seconds();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& request = *embedded[i * embedded.size() / count]->request;
    // An error costs time as well; the texts were embedded before, so there is none to report.
    (void)pool.encoder().embed(embedding_text(pool.encoder().tokenizer(), request.last_user_text(), {}));
  }
  embedding_.measured = count;
  embedding_.cpu_s_per_text = (cpu_seconds() - cpu_started) / static_cast<double>(count);
  embedding_.ms_per_text =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count() /
      static_cast<double>(count);
}

bool QuestionSet::has_logprobs(const std::string& model) const {
  std::size_t have = 0;
  for (const auto& record : records_) {
    const auto* outcome = record.outcome(model);
    have += outcome && outcome->logprob_conf ? 1 : 0;
  }
  return 2 * have > records_.size();
}

const PreparedRequest& QuestionSet::prepared(std::uint32_t question, std::uint32_t variant) const {
  return variant == 0 ? *as_recorded_[question] : prepared_.at({question, variant});
}

Result<> QuestionSet::add_view(RouterInputs inputs, const SentenceEncoder* encoder) {
  if (inputs == RouterInputs::kEmbedding || views_.contains(inputs)) return {};
  std::vector<RequestFeatures> view;
  for (const auto* recorded : as_recorded_) {
    auto& features = view.emplace_back(recorded->features);
    if (inputs == RouterInputs::kShape) {
      const auto& shape = features.statistics.shape;
      double squares = 0;
      for (const float x : shape) squares += static_cast<double>(x) * x;
      Embedding scaled(shape.begin(), shape.end());
      for (float& x : scaled) x = static_cast<float>(squares > 0 ? x / std::sqrt(squares) : 0);
      features.embedding = std::make_shared<const Embedding>(std::move(scaled));
      features.words = {};
      continue;
    }
    features.embedding = nullptr;
    const auto text = embedding_text(encoder->tokenizer(), recorded->request->last_user_text(), {});
    if (text.empty()) continue;
    auto embedded = encoder->embed(text);
    if (!embedded) return fail(embedded.error());
    features.embedding = std::make_shared<const Embedding>(std::move(*embedded));
  }
  views_.emplace(inputs, std::move(view));
  return {};
}

const RequestFeatures& QuestionSet::seen(std::uint32_t question, RouterInputs inputs) const {
  return inputs == RouterInputs::kEmbedding ? prepared(question, 0).features : views_.at(inputs)[question];
}

}  // namespace brevet
