// bert and causal_llm: what decides is learned elsewhere (tools/finetune_bert.py) or not at all, and what is
// fitted here is the calibration that fit.cc puts around every kind. Labels that taught the classifier must
// not be among these: it would look surer than it is.
#include "train/fit_kinds.h"

namespace brevet {
namespace {

Result<Fitted> fit_nothing(const Training&, const FitOrder&) {
  return Fitted{};
}

KindRow classified_row(const char* name, const char* summary) {
  KindRow row;
  row.kind.name = name;
  row.kind.summary = summary;
  row.kind.requests_min = 50;
  row.fit = fit_nothing;
  row.reads_embedding = false;
  row.kind.beside = true;
  return row;
}

}  // namespace

KindRow bert_row() {
  return classified_row("bert", "three-way classifier, encoder and all fine-tuned (tools/finetune_bert.py)");
}
KindRow causal_llm_row() {
  return classified_row("causal_llm", "calibration of a model that is asked for a grade of weak's answer");
}

}  // namespace brevet
