// Time per text of tokenizer plus encoder, in this process. One line per length: pieces, median and 95th
// percentile in milliseconds over the texts read from standard input (one a line, groups separated by empty
// lines). bench/encoder_vs_python.py runs it beside ONNX Runtime called from Python, on the same texts.
// A static encoder is measured by naming its file. Usage: encoder_bench FOLDER|FILE [THREADS] < TEXTS
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "features/encoder.h"
#include "features/static_encoder.h"

namespace {

void measure(const brevet::SentenceEncoder& encoder, const std::vector<std::string>& texts) {
  using Clock = std::chrono::steady_clock;
  constexpr int kWarmUp = 5;
  std::vector<double> milliseconds;
  double sum = 0;  // kept, so that the work cannot be optimised away
  for (int i = -kWarmUp; i < static_cast<int>(texts.size()); ++i) {
    const auto& text = texts[static_cast<std::size_t>(std::max(i, 0))];
    const auto begin = Clock::now();
    const auto embedding = encoder.embed(text);
    const auto end = Clock::now();
    if (!embedding) {
      std::fprintf(stderr, "%s\n", embedding.error().message.c_str());
      std::exit(1);
    }
    sum += (*embedding)[0];
    if (i >= 0) milliseconds.push_back(std::chrono::duration<double, std::milli>(end - begin).count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("%zu %.4f %.4f %.6f\n", encoder.encode(texts.front()).size(),
              milliseconds[milliseconds.size() / 2], milliseconds[milliseconds.size() * 95 / 100], sum);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: encoder_bench FOLDER|FILE [THREADS] < TEXTS\n";
    return 2;
  }
  brevet::EncoderOptions options;
  options.folder = argv[1];
  options.threads = argc > 2 ? std::stoi(argv[2]) : 1;
  brevet::Result<std::shared_ptr<const brevet::SentenceEncoder>> encoder;
  if (std::filesystem::is_regular_file(argv[1])) {
    encoder = brevet::read_static_encoder(argv[1]);
  } else {
    encoder = brevet::make_encoder(options);
  }
  if (!encoder) {
    std::cerr << encoder.error().message << '\n';
    return 1;
  }
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) {
      texts.push_back(line);
    } else if (!texts.empty()) {
      measure(**encoder, texts);
      texts.clear();
    }
  }
  if (!texts.empty()) measure(**encoder, texts);
}
