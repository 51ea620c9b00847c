// One HTTP request that appends to a partial file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace convoy::data {

struct HttpRequest {
  std::string url;
  std::string path;            // the partial file: continued from its end, begun anew where the server cannot
  std::int64_t max_bytes = 0;  // stop when the file grows beyond
  double connect_timeout_s = 15;
  double stall_timeout_s = 30;
  std::function<void(std::int64_t received_bytes)> progress = {};
};

enum class HttpOutcome {
  complete,     // the server sent all that it has
  interrupted,  // the connection broke: what came is in the file, and asking again may continue
  refused,      // this server will not do: another one may
};

struct HttpResult {
  HttpOutcome outcome = HttpOutcome::refused;
  std::string problem;  // empty when complete
};

// Sends a GET, with a Range where the partial file has bytes already. Follows up to five redirects, to http
// and https only. Throws FileError where the file cannot be written.
HttpResult http_get(const HttpRequest& request);

}  // namespace convoy::data
