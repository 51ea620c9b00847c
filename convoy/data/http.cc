#include "convoy/data/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"

namespace convoy::data {
namespace {

using base::FileError;
using base::str;

constexpr long kOk = 200;
constexpr long kPartialContent = 206;
constexpr long kRangeNotSatisfiable = 416;
constexpr long kServerError = 500;

// The partial file, open for appending.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw FileError(path, "create", errno);
    struct ::stat status {};
    if (::fstat(descriptor_, &status) == 0) size_bytes_ = status.st_size;
  }
  ~PartialFile() { ::close(descriptor_); }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  std::int64_t size_bytes() const { return size_bytes_; }

  // These two return an errno, 0 for success: they run below C code, through which nothing may be thrown.
  int append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return written < 0 ? errno : ENOSPC;
      bytes.remove_prefix(static_cast<std::size_t>(written));
      size_bytes_ += written;
    }
    return 0;
  }
  int clear() {
    if (::ftruncate(descriptor_, 0) != 0) return errno;
    size_bytes_ = 0;
    return 0;
  }
  void sync() const {
    if (::fsync(descriptor_) != 0) throw FileError(path_, "sync", errno);
  }

 private:
  const std::string& path_;
  int descriptor_ = -1;
  std::int64_t size_bytes_ = 0;
};

// What libcurl's callbacks share.
struct Transfer {
  const HttpRequest& request;
  PartialFile& file;
  CURL* curl = nullptr;
  std::int64_t asked_from = 0;     // the offset of the Range, 0 without one
  std::int64_t answered_from = 0;  // the offset in Content-Range
  bool begun = false;
  const base::Clock& clock;
  double give_up_at_s = 0;  // unless bytes come before
  int file_error = 0;
  std::string refusal = {};  // why what the server sends is of no use
};

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// Decides, at the first byte of the body, where it goes. False: nowhere.
bool begin_body(Transfer& transfer) {
  transfer.begun = true;
  const long status = status_of(transfer.curl);
  if (status == kOk) {
    transfer.file_error = transfer.file.clear();  // a whole file, whatever was asked for
    return transfer.file_error == 0;
  }
  if (status == kPartialContent && transfer.answered_from == transfer.asked_from) return true;
  if (status == kPartialContent) transfer.refusal = "answered with another range than the one asked for";
  return false;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  if (!transfer.begun && !begin_body(transfer)) return CURL_WRITEFUNC_ERROR;
  if (transfer.file.size_bytes() + std::ssize(bytes) > transfer.request.max_bytes) {
    transfer.refusal = str("sends more than the ", transfer.request.max_bytes, " bytes expected");
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.give_up_at_s = transfer.clock.now() + transfer.request.stall_timeout_s;
  transfer.file_error = transfer.file.append(bytes);
  return transfer.file_error == 0 ? bytes.size() : CURL_WRITEFUNC_ERROR;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string line(data, size * count);
  for (char& c : line)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  constexpr std::string_view kName = "content-range: bytes ";
  if (line.starts_with(kName))
    transfer.answered_from = std::strtoll(line.c_str() + kName.size(), nullptr, 10);
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.request.progress) transfer.request.progress(transfer.file.size_bytes());
  return transfer.clock.now() > transfer.give_up_at_s ? 1 : 0;  // 1 aborts
}

void configure(CURL* curl, Transfer& transfer, char* error_text) {
  const HttpRequest& request = transfer.request;
  const auto set = [curl](CURLoption option, auto value) {
    CONVOY_CHECK(curl_easy_setopt(curl, option, value) == CURLE_OK, "libcurl refuses option ", int{option});
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 5L);
  set(CURLOPT_NOSIGNAL, 1L);  // its time-outs would else use SIGALRM
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_s * 1000));
  set(CURLOPT_USERAGENT, "convoy");
  set(CURLOPT_ERRORBUFFER, error_text);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  // Not CURLOPT_RESUME_FROM: with it libcurl fails where a server ignores the range.
  if (transfer.asked_from > 0) set(CURLOPT_RANGE, str(transfer.asked_from, "-").c_str());
}

HttpResult judge(const Transfer& transfer, CURLcode code, const char* error_text) {
  if (!transfer.refusal.empty()) return {HttpOutcome::refused, transfer.refusal};
  const long status = status_of(transfer.curl);
  // There is nothing beyond what we have; the checksum will tell.
  if (status == kRangeNotSatisfiable && transfer.asked_from > 0) return {HttpOutcome::complete, {}};
  if (status != 0 && status != kOk && status != kPartialContent)
    return {status >= kServerError ? HttpOutcome::interrupted : HttpOutcome::refused,
            str("HTTP status ", status)};
  const std::string problem = *error_text != '\0' ? error_text : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OK:
      return {HttpOutcome::complete, {}};
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
      return {HttpOutcome::interrupted, problem};
    case CURLE_ABORTED_BY_CALLBACK:
      return {HttpOutcome::interrupted, str("nothing came for ", transfer.request.stall_timeout_s, " s")};
    default:
      return {HttpOutcome::refused, problem};
  }
}

}  // namespace

HttpResult http_get(const HttpRequest& request) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  CONVOY_CHECK(curl != nullptr, "libcurl cannot start");
  PartialFile file(request.path);
  const auto clock = base::make_steady_clock();
  Transfer transfer{.request = request,
                    .file = file,
                    .curl = curl.get(),
                    .asked_from = file.size_bytes(),
                    .clock = *clock,
                    .give_up_at_s = clock->now() + request.connect_timeout_s + request.stall_timeout_s};
  std::array<char, CURL_ERROR_SIZE> error_text{};
  configure(curl.get(), transfer, error_text.data());
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.file_error != 0) throw FileError(request.path, "write", transfer.file_error);
  file.sync();
  return judge(transfer, code, error_text.data());
}

}  // namespace convoy::data
