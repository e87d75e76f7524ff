// Pieces of texts for tests/tokenizer_reference.py: reads one text a line as hexadecimal bytes, writes the
// numbers of its pieces, [CLS] and [SEP] included. Usage: tokenize_lines VOCABULARY
#include <iostream>

#include "features/wordpiece.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenize_lines VOCABULARY < HEXADECIMAL_LINES\n";
    return 2;
  }
  const auto tokenizer = brevet::WordPiece::load(argv[1]);
  if (!tokenizer) {
    std::cerr << tokenizer.error().message << '\n';
    return 1;
  }
  std::ios::sync_with_stdio(false);
  for (std::string line, text; std::getline(std::cin, line); text.clear()) {
    for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
      text += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
    }
    std::string out;
    for (const auto number : (*tokenizer)->encode(text)) {
      if (!out.empty()) out += ' ';
      out += std::to_string(number);
    }
    std::cout << out << '\n';
  }
}
