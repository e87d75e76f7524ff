// `brevet upstream`: recorded or simulated models behind an HTTP port. app parses the flags and calls this.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace brevet {

struct UpstreamCommand {
  std::string recorded_file;   ///< exactly one of recorded_file and simulated
  std::string responses_file;  ///< joined to recorded_file by id
  bool simulated = false;
  std::string simulated_file;       ///< profile; empty = the embedded default
  std::vector<std::string> models;  ///< serve only these; empty = all of the file or profile
  std::string prices_file;          ///< for recorded models without costs
  std::string address = "127.0.0.1";
  std::uint16_t port = 8790;  ///< 0 = any free one
  int threads = 1;
  double speed = -1;          ///< below 0: recorded 0, simulated the profile's own
  std::size_t questions = 0;  ///< not 0: print so many questions of the simulated world, and serve nothing
  std::string faults;         ///< parse_faults(); empty = the profile's own
};

class UpstreamServer {
 public:
  virtual ~UpstreamServer() = default;  ///< drains
  virtual std::uint16_t port() const = 0;
  virtual const std::vector<std::string>& models() const = 0;
  virtual bool simulated() const = 0;
  virtual void stop() = 0;
};

/// Loads, binds and starts to serve; returns at once. Errors: contradictory (both or neither kind), and those
/// of the file, profile, faults and port.
Result<std::unique_ptr<UpstreamServer>> start_upstream(const UpstreamCommand& command);

/// The whole subcommand: starts, says on `out` what is served where, and waits for SIGINT or SIGTERM. Returns
/// the exit status.
Result<int> run_upstream_command(const UpstreamCommand& command, std::ostream& out);

}  // namespace brevet
