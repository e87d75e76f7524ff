// `brevet battles`: preference data for routers. main() calls it once to add the command; the command runs
// when its flags are parsed.
#pragma once

namespace CLI {
class App;
}

namespace brevet {

/// Exit status: 0 written, 1 an error, 2 wrong use.
void add_battles_command(CLI::App& app, int& status);

}  // namespace brevet
