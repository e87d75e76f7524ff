#include "server/client_keys.h"

#include <algorithm>

#include "base/random.h"

namespace brevet {
namespace {

/// Looks at every byte whatever it finds.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view presented_key(const net::HttpHeaders& headers) {
  const auto authorization = trimmed(net::find_header(headers, "authorization"));
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() > kScheme.size()) {
    bool bearer = true;
    for (std::size_t i = 0; i < kScheme.size(); ++i) {
      const char c = authorization[i];
      bearer &= (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == kScheme[i];
    }
    if (bearer) return trimmed(authorization.substr(kScheme.size()));
  }
  return trimmed(net::find_header(headers, "x-api-key"));
}

}  // namespace

bool Client::may_use(std::string_view name) const {
  return allowed == nullptr || allowed->empty() ||
         std::find(allowed->begin(), allowed->end(), name) != allowed->end();
}

ClientKeys::ClientKeys(const std::map<std::string, TenantOptions>& tenants) {
  for (const auto& [name, options] : tenants) {
    tenants_.push_back({name, std::make_shared<const std::vector<std::string>>(options.routes)});
    for (const auto& key : options.keys) {
      if (!key.key.empty()) keys_.push_back({sha256_hex(key.key), tenants_.size() - 1});
    }
  }
}

Result<Client> ClientKeys::identify(const net::HttpHeaders& headers) const {
  if (keys_.empty()) {
    for (const auto& tenant : tenants_) {
      if (tenant.name == "default") return Client{"default", tenant.allowed};
    }
    return Client{};
  }
  const auto key = presented_key(headers);
  if (key.empty()) {
    return fail(
        ErrorKind::kCallerDenied, "missing_key",
        "This gateway needs a client key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.");
  }
  const auto digest = sha256_hex(key);
  const Key* found = nullptr;
  for (const auto& known : keys_) {
    if (equal_in_constant_time(known.digest, digest)) found = &known;
  }
  if (found == nullptr) {
    return fail(
        ErrorKind::kCallerDenied, "wrong_key",
        "The client key is not known to this gateway. Check the key that the program sends; a provider's own "
        "key does not work here.");
  }
  const auto& tenant = tenants_[found->tenant];
  return Client{tenant.name, tenant.allowed};
}

}  // namespace brevet
