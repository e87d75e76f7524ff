// `brevet record`: outcome files from the user's own prompts and models. main() calls it once to add the
// command; the command runs when its flags are parsed.
#pragma once

namespace CLI {
class App;
}

namespace brevet {

/// Exit status: 0 everything recorded, 1 an error, 2 wrong use, 3 the budget ended it, 4 some outcomes could
/// not be had, 130 interrupted.
void add_record_command(CLI::App& app, int& status);

}  // namespace brevet
