// `brevet encoder distil` and `brevet encoder show`: a static encoder from the full one.
// main() calls this once; a command runs when its flags are parsed.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace brevet {

/// `typed` is the command line, kept in the encoder's file.
void add_encoder_command(CLI::App& app, const std::string& typed, int& status);

}  // namespace brevet
