// The questions of one data file as the harness asks them: cleaned, clustered, split, turned into requests,
// and the models that play their recorded answers.
//
// Made by the engine, read by replays. Immutable and thread-safe once prepared. The outcome matrix lives in
// the recorded clients; scores() is for the harness's own reckoning afterwards, nothing hands it to a
// strategy. A request carries prompt, system prompt and choices, and a number of ours instead of the record's
// id, because ids name subjects. Does not embed: texts are embedded by the caller's pool.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/prices.h"
#include "compare/comparer.h"
#include "dataset/clusters.h"
#include "dataset/drop.h"
#include "dataset/orders.h"
#include "dataset/outcome_file.h"
#include "dataset/split.h"
#include "domain/chat_request.h"
#include "domain/features.h"
#include "eval/metrics.h"
#include "eval/report_model.h"
#include "features/embedding_pool.h"
#include "memory/known_neighbours.h"
#include "upstream/model_client.h"

namespace brevet {

struct QuestionSetOptions {
  std::string file;
  std::string name;                 ///< for reports; default: the file's name without folder and extension
  std::vector<std::string> models;  ///< the candidates, weak first, strong last; at least two
  std::string responses_file;       ///< joined by id when not empty
  std::shared_ptr<const PriceTable> prices;  ///< for records without a cost; null = such costs are unknown
  DropOptions drop;
  std::string without_subject;  ///< this subject is left out
  std::string groups_file;      ///< JSON object {record id: group}; empty: the data set is the only group
  std::size_t fit_labels = 1500;
  std::size_t fit_labels_max = 0;  ///< so many are kept from the test, of which `fit_labels` are used
  std::size_t calibration_labels = 500;
  std::size_t questions_max = 0;  ///< only the first so many; 0 = all
  std::uint64_t seed = 1;
  bool truth_signal =
      false;  ///< answers say only whether they are right, so that comparing them is the truth
};

/// A request ready to be asked, with what a router sees of it.
struct PreparedRequest {
  std::shared_ptr<const ChatRequest> request;
  RequestFeatures features;
};

/// What a router is shown of a question: the sentence embedding, in its place the 58 numbers of the text's
/// shape (scaled to unit length, no words), or a static encoder's embedding.
enum class RouterInputs { kEmbedding, kShape, kStatic };

class QuestionSet {
 public:
  /// Errors: those of the reader and of the price file, unknown_model, no_questions, bad_groups_file.
  static Result<std::shared_ptr<QuestionSet>> load(const QuestionSetOptions& options);

  const std::string& name() const { return name_; }
  const QuestionSetOptions& options() const { return options_; }
  std::size_t size() const { return records_.size(); }
  /// The candidates, weak first.
  const std::vector<std::string>& models() const { return options_.models; }
  const OutcomeRecord& record(std::uint32_t question) const { return records_[question]; }
  /// Of every model of the file, candidates first; costs as they are charged.
  const OutcomeTable& table() const { return table_; }
  double score(std::uint32_t question, std::size_t candidate) const {
    return table_.at(candidate, question).quality.value_or(0);
  }
  Cost cost(std::uint32_t question, std::size_t candidate) const { return costs_[candidate][question]; }
  CostBasis cost_basis() const { return basis_; }
  /// The weakest basis of any known cost of the file, models that are no candidates included.
  CostBasis cost_basis_of_all() const { return basis_of_all_; }
  const Split& split() const { return split_; }
  /// Another split of the same questions, of which `labels` are for fitting; split() is that of the options.
  Split split_for(std::uint64_t seed, std::size_t labels) const;
  const Clusters& clusters() const { return clusters_; }
  const std::vector<std::string>& topics() const { return topic_names_; }
  std::uint32_t topic(std::uint32_t question) const { return topic_of_[question]; }
  const std::vector<std::string>& groups() const { return group_names_; }
  std::uint32_t group(std::uint32_t question) const { return group_of_[question]; }
  /// Log-probabilities are recorded for most of this model's answers.
  bool has_logprobs(const std::string& model) const;
  /// Hash of the normalised text (of the source question where the file names one), equal across files.
  std::uint64_t text_key(std::uint32_t question) const { return text_keys_[question]; }
  const std::vector<DropCount>& dropped() const { return dropped_; }
  const DataFile& data_file() const { return data_file_; }
  const std::map<std::string, ModelClientPtr>& clients() const { return clients_; }

  /// Embeds every question (and the paraphrases asked for) and makes neighbour lists, once; `pool` may be
  /// null. `progress` is told how many texts of how many are embedded and ends it by false (interrupted).
  /// `cache_folder` keeps the lists; may be empty.
  Result<> prepare(EmbeddingPool* pool, const std::vector<OrderedRequest>& requests, int threads,
                   const std::string& cache_folder,
                   const std::function<bool(std::size_t, std::size_t)>& progress = {});
  const PreparedRequest& prepared(std::uint32_t question, std::uint32_t variant) const;
  /// Makes another view of the prepared questions; `encoder` is needed for kStatic alone. Errors: those of
  /// the encoder.
  Result<> add_view(RouterInputs inputs, const SentenceEncoder* encoder);
  /// A view that was added, or kEmbedding.
  const RequestFeatures& seen(std::uint32_t question, RouterInputs inputs) const;
  const std::shared_ptr<const KnownNeighbours>& neighbours() const { return neighbours_; }
  const std::string& encoder_hash() const { return encoder_hash_; }
  const EmbeddingFigures& embedding() const { return embedding_; }
  /// Of recorded answers, for all replays together.
  Comparer& comparer() const { return *comparer_; }
  std::uint64_t content_hash() const { return content_hash_; }

  /// The chat request for a question; `earlier` are turns of the same conversation that came before.
  Result<ChatRequest> request(std::uint32_t question, std::uint32_t variant,
                              const std::vector<std::pair<std::uint32_t, std::uint32_t>>& earlier) const;

 private:
  QuestionSet() = default;
  Result<> clean(std::vector<OutcomeRecord> records);
  Result<> make_clients();
  void measure_embedding(const EmbeddingPool& pool);
  Result<> read_groups(const std::vector<std::string>& ids);
  std::string text(std::uint32_t question, std::uint32_t variant) const;

  QuestionSetOptions options_;
  std::string name_;
  DataFile data_file_;
  std::vector<OutcomeRecord> records_;
  OutcomeTable table_;
  std::vector<std::vector<Cost>> costs_;  ///< [candidate][question]
  CostBasis basis_ = CostBasis::kUnknown, basis_of_all_ = CostBasis::kUnknown;
  std::vector<DropCount> dropped_;
  std::vector<std::uint64_t> text_keys_;
  Clusters clusters_;
  Split split_;
  std::vector<std::string> topic_names_, group_names_;
  std::vector<std::uint32_t> topic_of_, group_of_;
  std::map<std::string, ModelClientPtr> clients_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, PreparedRequest> prepared_;
  std::vector<const PreparedRequest*> as_recorded_;  ///< those of variant 0, by question
  std::map<RouterInputs, std::vector<RequestFeatures>> views_;
  std::unique_ptr<Comparer> comparer_;
  std::shared_ptr<const KnownNeighbours> neighbours_;
  std::string encoder_hash_ = "none";
  EmbeddingFigures embedding_;
  std::uint64_t content_hash_ = 0;
};

}  // namespace brevet
