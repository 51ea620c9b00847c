#include "convoy/data/download.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/directory_lock.h"
#include "convoy/io/file.h"
#include "convoy/io/sha256.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

// What the server knows of a request: its path and where its Range begins.
struct Request {
  std::string path;
  std::optional<std::int64_t> range_begin;
};

// What it sends; the connection closes after `cut_after_bytes` of the body, however long Content-Length says.
struct Response {
  std::string status = "200 OK";
  std::string headers = {};
  std::string body = {};
  std::size_t cut_after_bytes = SIZE_MAX;
  bool stall = false;  // keep the connection open and send no more
};

// A web server on a free port of 127.0.0.1 with one thread.
class LocalServer {
 public:
  explicit LocalServer(std::function<Response(const Request&)> answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    CONVOY_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    CONVOY_CHECK(::listen(listener_, 8) == 0);
    CONVOY_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~LocalServer() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }

  std::string url(const std::string& path) const { return base::str("http://127.0.0.1:", port_, path); }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      talk(connection, stop);
      ::close(connection);
    }
  }

  void talk(int connection, const std::stop_token& stop) {
    std::string text;
    char piece[2048];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
      if (got <= 0) return;
      text.append(piece, static_cast<std::size_t>(got));
    }
    Request request{.path = text.substr(4, text.find(' ', 4) - 4), .range_begin = {}};
    if (const std::size_t at = text.find("Range: bytes="); at != std::string::npos)
      request.range_begin = std::atoll(text.c_str() + at + 13);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const Response response = answer_(request);
    const std::string head =
        base::str("HTTP/1.1 ", response.status, "\r\nContent-Length: ", response.body.size(),
                  "\r\nConnection: close\r\n", response.headers, "\r\n");
    const std::string all = head + response.body.substr(0, response.cut_after_bytes);
    for (std::size_t sent = 0; sent < all.size();) {
      const ssize_t got = ::send(connection, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
      if (got <= 0) return;
      sent += static_cast<std::size_t>(got);
    }
    pollfd gone{connection, POLLRDHUP, 0};
    while (response.stall && !stop.stop_requested() && ::poll(&gone, 1, 20) == 0) {
    }
  }

  std::function<Response(const Request&)> answer_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::jthread thread_;
};

std::string contents() {
  std::string text;
  for (int i = 0; text.size() < 300000; ++i) text += std::to_string(i * 7919) + ",";
  return text;
}

// A server's honest answer: the range that was asked for.
Response ranged(const Request& request, const std::string& whole) {
  if (!request.range_begin) return {.body = whole};
  const auto begin = static_cast<std::size_t>(*request.range_begin);
  if (begin >= whole.size()) return {.status = "416 Range Not Satisfiable", .body = "no such range"};
  return {
      .status = "206 Partial Content",
      .headers = base::str("Content-Range: bytes ", begin, "-", whole.size() - 1, "/", whole.size(), "\r\n"),
      .body = whole.substr(begin)};
}

class Download : public testing::Test {
 protected:
  Download() { ::setenv("no_proxy", "127.0.0.1", 1); }

  RemoteFile remote(std::vector<std::string> urls) const {
    return {.name = "file.bin",
            .urls = std::move(urls),
            .sha256 = io::sha256_hex(std::as_bytes(std::span(whole_))),
            .size_bytes = std::ssize(whole_)};
  }
  std::string fetch(std::vector<std::string> urls) {
    return download(remote(std::move(urls)), dir_.path(), options_);
  }
  std::string problem(std::vector<std::string> urls) {
    try {
      fetch(std::move(urls));
    } catch (const base::InputError& error) {
      return error.what();
    }
    return "(no error)";
  }
  // Names in the directory but the lock's.
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      if (entry.path().filename() != ".lock") names.push_back(entry.path().filename());
    return names;
  }

  const std::string whole_ = contents();
  io::TemporaryDirectory dir_;
  std::int64_t last_progress_ = -1;
  DownloadOptions options_{
      .connect_timeout_s = 5, .stall_timeout_s = 1, .progress = [this](std::int64_t received, std::int64_t) {
        last_progress_ = received;
      }};
};

TEST_F(Download, Complete) {
  const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
  EXPECT_EQ(fetch({server.url("/file.bin")}), dir_.file("file.bin"));
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  EXPECT_EQ(entries(), std::vector<std::string>{"file.bin"});
  EXPECT_EQ(last_progress_, std::ssize(whole_));
  fetch({server.url("/file.bin")});  // it is there already
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, CutConnectionIsResumed) {
  const LocalServer server([&](const Request& request) {
    Response response = ranged(request, whole_);
    response.cut_after_bytes = request.range_begin ? SIZE_MAX : 100000;
    return response;
  });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_FALSE(server.requests()[0].range_begin.has_value());
  EXPECT_EQ(server.requests()[1].range_begin, 100000);
}

TEST_F(Download, PartOfAnEarlierRunIsResumed) {
  dir_.write("file.bin.part", whole_.substr(0, 12345));
  const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  EXPECT_EQ(server.requests()[0].range_begin, 12345);
}

TEST_F(Download, ServerThatIgnoresRangeSendsAllAgain) {
  dir_.write("file.bin.part", whole_.substr(0, 12345));
  const LocalServer server([&](const Request&) { return Response{.body = whole_}; });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, ServerThatSendsAnotherRangeIsLeft) {
  dir_.write("file.bin.part", whole_.substr(0, 12345));
  const LocalServer server(
      [&](const Request&) { return ranged({.path = "", .range_begin = 20000}, whole_); });
  EXPECT_NE(problem({server.url("/file.bin")}).find("another range"), std::string::npos);
  EXPECT_EQ(io::read_file(dir_.file("file.bin.part")), whole_.substr(0, 12345));
}

TEST_F(Download, WholePartIsTakenWithoutItsBytesAgain) {
  dir_.write("file.bin.part", whole_);
  const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, StalePartIsFetchedAnew) {
  for (const std::size_t bytes : {whole_.size(), std::size_t{12345}}) {
    dir_.write("file.bin.part", std::string(bytes, 'x'));
    const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
    fetch({server.url("/file.bin")});
    EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
    EXPECT_EQ(server.requests().size(), 2u);
    std::filesystem::remove(dir_.file("file.bin"));
  }
}

TEST_F(Download, WrongChecksumRemovesTheFile) {
  std::string other = whole_;
  other[1000] = '#';
  const LocalServer server([&](const Request& request) { return ranged(request, other); });
  const std::string line = problem({server.url("/file.bin")});
  EXPECT_NE(
      line.find("wrong checksum: SHA-256 " + io::sha256_hex(std::as_bytes(std::span(other))) + ", expected "),
      std::string::npos)
      << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(entries().empty());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, NextMirrorAfterNotFoundWrongChecksumAndNoServer) {
  std::string other = whole_;
  other[1000] = '#';
  std::string dead;
  {
    const LocalServer gone([](const Request&) { return Response{}; });
    dead = gone.url("/file.bin");
  }
  const LocalServer server([&](const Request& request) {
    if (request.path == "/missing")
      return Response{.status = "404 Not Found", .body = "<html>not found</html>"};
    return ranged(request, request.path == "/other" ? other : whole_);
  });
  fetch({dead, server.url("/missing"), server.url("/other"), server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
}

TEST_F(Download, AllMirrorsFailingAreListedInOneLine) {
  const LocalServer server([](const Request&) { return Response{.status = "404 Not Found"}; });
  EXPECT_EQ(problem({server.url("/a"), server.url("/b")}),
            dir_.file("file.bin") + ": cannot be downloaded (" + server.url("/a") + ": HTTP status 404; " +
                server.url("/b") + ": HTTP status 404); put the file there yourself or give --data-dir");
  EXPECT_FALSE(io::file_exists(dir_.file("file.bin")));
}

TEST_F(Download, ErrorOfTheServerIsTriedAgain) {
  std::atomic<int> count = 0;
  const LocalServer server([&](const Request& request) {
    if (++count < 3) return Response{.status = "503 Service Unavailable", .body = "busy"};
    return ranged(request, whole_);
  });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
}

TEST_F(Download, RedirectIsFollowed) {
  const LocalServer server([&](const Request& request) {
    if (request.path == "/old")
      return Response{.status = "302 Found", .headers = "Location: /new\r\n", .body = "moved"};
    return ranged(request, whole_);
  });
  fetch({server.url("/old")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
}

TEST_F(Download, OnlyTheWebIsSpoken) {
  dir_.write("source", whole_);
  EXPECT_NE(problem({"file://" + dir_.file("source")}).find("cannot be downloaded"), std::string::npos);
  const LocalServer server([&](const Request&) {
    return Response{.status = "302 Found", .headers = "Location: file://" + dir_.file("source") + "\r\n"};
  });
  EXPECT_NE(problem({server.url("/file.bin")}).find("cannot be downloaded"), std::string::npos);
}

TEST_F(Download, EndlessFileIsStopped) {
  const LocalServer server([&](const Request&) { return Response{.body = whole_ + whole_}; });
  EXPECT_NE(problem({server.url("/file.bin")}).find("sends more than the"), std::string::npos);
}

TEST_F(Download, StalledConnectionEnds) {
  const LocalServer server([&](const Request& request) {
    Response response = ranged(request, whole_);
    if (!request.range_begin) {
      response.cut_after_bytes = 1000;
      response.stall = true;
    }
    return response;
  });
  fetch({server.url("/file.bin")});
  EXPECT_EQ(io::read_file(dir_.file("file.bin")), whole_);
  EXPECT_EQ(server.requests().back().range_begin, 1000);
}

TEST_F(Download, OfflineNeverConnects) {
  const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
  options_.offline = true;
  EXPECT_EQ(problem({server.url("/file.bin")}),
            dir_.file("file.bin") +
                ": not there, and offline operation forbids the download; put the file from " +
                server.url("/file.bin") + " there");
  EXPECT_TRUE(server.requests().empty());
  dir_.write("file.bin", "by hand");
  EXPECT_EQ(io::read_file(fetch({server.url("/file.bin")})), "by hand");
}

TEST_F(Download, WaitsForTheLockNoLongerThanAllowed) {
  const LocalServer server([&](const Request& request) { return ranged(request, whole_); });
  options_.lock_timeout_s = 0.2;
  {
    const auto lock = io::DirectoryLock::acquire(dir_.path());
    EXPECT_NE(problem({server.url("/file.bin")}).find("in use by process"), std::string::npos);
  }
  fetch({server.url("/file.bin")});
}

}  // namespace
}  // namespace convoy::data
