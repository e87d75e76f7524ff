// A program of the user's own as scorer: its exit code says whether the answer is right.
//
// Used by the recorder. A call stays on the caller's executor and does not block it. The program runs through
// `sh -c` in a process group of its own and is killed at the end of its time. It gets the environment
// variables BREVET_ID, BREVET_MODEL, BREVET_PROMPT, BREVET_ANSWER and BREVET_REFERENCE (left out where a text
// is too long or holds a zero byte), and on stdin one JSON object {"id", "model", "prompt", "answer",
// "reference"} with all of them whole.
//
//   exit 0  score 1, or the number from 0 to 1 that stands alone on stdout
//   exit 1  score 0
//   other, a signal, out of time: no score; the record is left out for this model and counted
#pragma once

#include <chrono>
#include <string>

#include "base/async.h"
#include "record/scorer.h"

namespace brevet::record {

struct CommandOptions {
  std::string command;
  std::chrono::milliseconds timeout{60'000};
  std::string folder;  ///< for the files of running commands; must be there
};

struct ScoredAnswer {
  std::string id;
  std::string configuration;
  std::string prompt;
  std::string answer;
  std::string reference;
};

/// Errors: those of start_child, and output_unwritable; then the recording cannot go on.
Task<Result<Score>> score_by_command(CommandOptions options, ScoredAnswer answer);

}  // namespace brevet::record
