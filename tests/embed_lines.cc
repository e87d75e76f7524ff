// Vectors of texts for tests/encoder_reference.py: reads one text a line as hexadecimal bytes, writes its
// embedding as numbers with nine digits. Usage: embed_lines FOLDER
#include <cstdio>
#include <iostream>

#include "features/encoder.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embed_lines FOLDER < HEXADECIMAL_LINES\n";
    return 2;
  }
  brevet::EncoderOptions options;
  options.folder = argv[1];
  const auto encoder = brevet::make_encoder(options);
  if (!encoder) {
    std::cerr << encoder.error().message << '\n';
    return 1;
  }
  for (std::string line, text; std::getline(std::cin, line); text.clear()) {
    for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
      text += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
    }
    const auto embedding = (*encoder)->embed(text);
    if (!embedding) {
      std::cerr << embedding.error().message << '\n';
      return 1;
    }
    for (const float value : *embedding) std::printf("%.9g ", static_cast<double>(value));
    std::printf("\n");
  }
}
