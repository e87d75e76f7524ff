// Whose request is it: client keys to tenants.
//
// Used by the gateway server for every request. Immutable, thread-safe. Keys are held as SHA-256 only and
// compared in a time that does not depend on where they differ. Without any key configured everybody is the
// tenant `default`. A tenant never comes from a header.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/options.h"
#include "net/http_server.h"

namespace brevet {

struct Client {
  std::string tenant = "default";
  /// Routes and models it may use; null or empty = all. Outlives the keys that it came from.
  std::shared_ptr<const std::vector<std::string>> allowed;
  bool may_use(std::string_view name) const;
};

class ClientKeys {
 public:
  explicit ClientKeys(const std::map<std::string, TenantOptions>& tenants);
  bool required() const { return !keys_.empty(); }
  /// From `Authorization: Bearer KEY` or `x-api-key: KEY`. Errors (kCallerDenied): missing_key, wrong_key.
  Result<Client> identify(const net::HttpHeaders& headers) const;

 private:
  struct Key {
    std::string digest;  ///< SHA-256, hex
    std::size_t tenant = 0;
  };
  struct Tenant {
    std::string name;
    std::shared_ptr<const std::vector<std::string>> allowed;
  };
  std::vector<Tenant> tenants_;
  std::vector<Key> keys_;
};

}  // namespace brevet
