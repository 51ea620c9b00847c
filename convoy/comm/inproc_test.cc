#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <latch>
#include <numeric>
#include <string>
#include <thread>

#include "convoy/base/error.h"
#include "convoy/base/rng.h"
#include "convoy/comm/transport.h"

namespace convoy::comm {
namespace {

using std::chrono::steady_clock;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}
template <class T>
std::span<std::byte> writable_bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

void send_int(Transport& end, int peer, std::int32_t tag, int value) {
  end.send(peer, tag, bytes_of(value))->wait();
}
int receive_int(Transport& end, int peer, std::int32_t tag) {
  int value = -1;
  end.receive(peer, tag, writable_bytes_of(value))->wait();
  return value;
}

// Runs `body` on one thread a rank, each with its own end.
void on_ranks(int world_size, const std::function<void(Transport&)>& body) {
  auto ends = make_inproc_group(world_size);
  std::vector<std::jthread> threads;
  for (auto& end : ends) threads.emplace_back([&body, &end] { body(*end); });
}

// The message of the PeerError that `body` throws, checked for its rank and peer.
std::string peer_error(int rank, int peer, const std::function<void()>& body) {
  try {
    body();
  } catch (const base::PeerError& error) {
    EXPECT_EQ(error.rank(), rank);
    EXPECT_EQ(error.peer(), peer);
    EXPECT_EQ(error.exit_code(), base::ExitCode::peer_lost);
    return error.what();
  }
  ADD_FAILURE() << "no PeerError";
  return {};
}

class EveryWorldSize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Inproc, EveryWorldSize, testing::Range(1, 9));

TEST_P(EveryWorldSize, EndsKnowTheirRanks) {
  const auto ends = make_inproc_group(GetParam());
  ASSERT_EQ(ends.size(), static_cast<std::size_t>(GetParam()));
  for (int rank = 0; rank < GetParam(); ++rank) {
    EXPECT_EQ(ends[static_cast<std::size_t>(rank)]->rank(), rank);
    EXPECT_EQ(ends[static_cast<std::size_t>(rank)]->world_size(), GetParam());
  }
}

// Every pair, itself included, several tags, sizes from nothing to more than a page; receives are posted
// before and after the messages come.
TEST_P(EveryWorldSize, EveryPairExchangesInOrder) {
  constexpr int kTags = 3, kRounds = 12;
  const auto content = [](int from, int to, int tag, int round) {
    base::RandomStream random(static_cast<std::uint64_t>(from * 100 + to), base::Purpose::test,
                              static_cast<std::uint64_t>(tag), static_cast<std::uint64_t>(round));
    std::vector<std::uint32_t> data(random.below(3) == 0 ? 0 : random.below(2000));
    for (auto& word : data) word = random.bits();
    return data;
  };
  on_ranks(GetParam(), [&](Transport& end) {
    struct Expected {
      std::vector<std::uint32_t> data, found;
      std::unique_ptr<Request> request;
    };
    std::vector<Expected> expected;
    const auto post = [&](int peer, int tag, int round) {
      auto data = content(peer, end.rank(), tag, round);
      expected.push_back({data, std::vector<std::uint32_t>(data.size()), nullptr});
      expected.back().request =
          end.receive(peer, tag, std::as_writable_bytes(std::span(expected.back().found)));
    };
    for (int peer = 0; peer < end.world_size(); ++peer)
      for (int round = 0; round < kRounds / 2; ++round) post(peer, 0, round);
    for (int round = 0; round < kRounds; ++round)
      for (int tag = kTags - 1; tag >= 0; --tag)
        for (int peer = 0; peer < end.world_size(); ++peer) {
          const auto data = content(end.rank(), peer, tag, round);
          end.send(peer, tag, std::as_bytes(std::span(data)))->wait();
        }
    for (int tag = 0; tag < kTags; ++tag)
      for (int peer = 0; peer < end.world_size(); ++peer)
        for (int round = tag == 0 ? kRounds / 2 : 0; round < kRounds; ++round) post(peer, tag, round);
    for (Expected& e : expected) {
      e.request->wait();
      EXPECT_EQ(e.found, e.data);
    }
  });
}

TEST_P(EveryWorldSize, NobodyPassesABarrierEarly) {
  std::atomic<int> arrived{0};
  on_ranks(GetParam(), [&](Transport& end) {
    for (int round = 1; round <= 200; ++round) {
      arrived.fetch_add(1);
      end.barrier();
      EXPECT_GE(arrived.load(), round * end.world_size());
      if (round % 17 == end.rank()) std::this_thread::yield();
    }
  });
  EXPECT_EQ(arrived.load(), 200 * GetParam());
}

TEST(Inproc, TagsAreIndependent) {
  auto ends = make_inproc_group(2);
  for (const int value : {1, 2}) send_int(*ends[0], 1, 10, value);
  for (const int value : {3, 4}) send_int(*ends[0], 1, -20, value);
  EXPECT_EQ(receive_int(*ends[1], 0, -20), 3);
  EXPECT_EQ(receive_int(*ends[1], 0, 10), 1);
  EXPECT_EQ(receive_int(*ends[1], 0, 10), 2);
  EXPECT_EQ(receive_int(*ends[1], 0, -20), 4);
}

TEST(Inproc, TestTellsWhenAReceiveIsComplete) {
  auto ends = make_inproc_group(2);
  int first = 0, second = 0;
  const auto a = ends[1]->receive(0, 1, writable_bytes_of(first));
  const auto b = ends[1]->receive(0, 1, writable_bytes_of(second));
  EXPECT_FALSE(a->test());
  send_int(*ends[0], 1, 1, 41);
  EXPECT_TRUE(a->test());
  EXPECT_FALSE(b->test());
  send_int(*ends[0], 1, 1, 42);
  b->wait();
  EXPECT_EQ(first, 41);
  EXPECT_EQ(second, 42);
}

TEST(Inproc, TheSendersBufferIsFreeAfterItsWait) {
  auto ends = make_inproc_group(2);
  int value = 5;
  ends[0]->send(1, 0, bytes_of(value))->wait();
  value = 6;
  EXPECT_EQ(receive_int(*ends[1], 0, 0), 5);
}

TEST(Inproc, SizesThatDifferAreNamed) {
  for (const bool posted_first : {false, true}) {
    auto ends = make_inproc_group(3);
    std::array<char, 7> found{};
    std::unique_ptr<Request> request;
    const auto post = [&] { request = ends[2]->receive(1, 9, std::as_writable_bytes(std::span(found))); };
    if (posted_first) post();
    send_int(*ends[1], 2, 9, 0x01010101);
    if (!posted_first) post();
    EXPECT_TRUE(request->test());
    EXPECT_EQ(
        peer_error(2, 1, [&] { request->wait(); }),
        "rank 2: receive of 7 bytes, tag 9 with rank 1: the message has 4 bytes; the ranks disagree on what "
        "they exchange");
    EXPECT_EQ(found, (std::array<char, 7>{}));
  }
}

TEST(Inproc, TheDeadlineEndsEveryWaitAndIsNamed) {
  auto ends = make_inproc_group(2);
  ends[0]->set_deadline(0.05);
  int value = 0;
  const auto request = ends[0]->receive(1, 3, writable_bytes_of(value));
  const auto begin = steady_clock::now();
  const std::string line = peer_error(0, 1, [&] { request->wait(); });
  const double waited = std::chrono::duration<double>(steady_clock::now() - begin).count();
  EXPECT_GE(waited, 0.05);
  EXPECT_LT(waited, 5);
  EXPECT_NE(line.find("receive of 4 bytes, tag 3"), std::string::npos) << line;
  EXPECT_NE(line.find("no message after "), std::string::npos) << line;
  EXPECT_NE(line.find("the deadline is 0.05 s"), std::string::npos) << line;
  const std::string barrier = peer_error(0, 1, [&] { ends[0]->barrier(); });
  EXPECT_NE(barrier.find("barrier with rank 1: it has not arrived after "), std::string::npos) << barrier;
  // A receive that ran out of time still works afterwards, and so does the barrier.
  send_int(*ends[1], 0, 3, 8);
  request->wait();
  EXPECT_EQ(value, 8);
  std::jthread other([&] { ends[1]->barrier(); });
  ends[0]->set_deadline(60);
  ends[0]->barrier();
}

TEST(Inproc, ALostPeerEndsWaitsAtOnce) {
  auto ends = make_inproc_group(3);
  std::latch waiting(2);
  std::string receive_line, barrier_line;
  const auto begin = steady_clock::now();
  {
    std::jthread receiver([&] {
      int value = 0;
      const auto request = ends[0]->receive(2, 5, writable_bytes_of(value));
      waiting.count_down();
      receive_line = peer_error(0, 2, [&] { request->wait(); });
    });
    std::jthread in_barrier([&] {
      waiting.count_down();
      barrier_line = peer_error(1, 2, [&] { ends[1]->barrier(); });
    });
    waiting.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ends[2].reset();
  }
  EXPECT_LT(std::chrono::duration<double>(steady_clock::now() - begin).count(), 5);
  EXPECT_NE(receive_line.find("the peer is gone"), std::string::npos) << receive_line;
  EXPECT_NE(barrier_line.find("the peer is gone"), std::string::npos) << barrier_line;
  const int value = 0;
  const auto send = ends[0]->send(2, 5, bytes_of(value));
  EXPECT_EQ(peer_error(0, 2, [&] { send->wait(); }),
            "rank 0: send of 4 bytes, tag 5 with rank 2: the peer is gone; its own last message says why");
}

TEST(Inproc, WhatALostPeerSentStillArrives) {
  auto ends = make_inproc_group(2);
  send_int(*ends[1], 0, 1, 77);
  ends[1].reset();
  EXPECT_EQ(receive_int(*ends[0], 1, 1), 77);
  int value = 0;
  const auto request = ends[0]->receive(1, 1, writable_bytes_of(value));
  EXPECT_TRUE(request->test());
  EXPECT_NE(peer_error(0, 1, [&] { request->wait(); }), "");
}

// An exception elsewhere drops receives that nobody waited for; a later message finds no dangling buffer.
TEST(Inproc, UnwindingWithdrawsReceives) {
  auto ends = make_inproc_group(2);
  const auto abandon = [&] {
    int value = 0;
    const auto request = ends[0]->receive(1, 1, writable_bytes_of(value));
    throw std::runtime_error("elsewhere");
  };
  EXPECT_THROW(abandon(), std::runtime_error);
  send_int(*ends[1], 0, 1, 4);
  EXPECT_EQ(receive_int(*ends[0], 1, 1), 4);
}

TEST(InprocDeathTest, ADroppedReceiveAndAWrongRankAreBugs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto ends = make_inproc_group(2);
  int value = 0;
  EXPECT_DEATH(ends[0]->receive(1, 6, writable_bytes_of(value)).reset(),
               "dropped a receive of tag 6 from rank 1");
  EXPECT_DEATH(ends[0]->send(2, 0, {}), "rank 2 of 2");
  EXPECT_DEATH(ends[0]->set_deadline(0), "deadline of 0 s");
}

// A ring of many small messages, a barrier now and then: interleavings for the thread sanitizer.
TEST(Inproc, StressOfARing) {
  constexpr int kRanks = 6, kRounds = 300;
  on_ranks(kRanks, [&](Transport& end) {
    const int next = (end.rank() + 1) % kRanks, before = (end.rank() + kRanks - 1) % kRanks;
    int token = end.rank();
    for (int round = 0; round < kRounds; ++round) {
      int found = -1;
      const auto request = end.receive(before, round % 3, writable_bytes_of(found));
      send_int(end, next, round % 3, token);
      request->wait();
      token = found;
      if (round % 50 == 49) end.barrier();
    }
    EXPECT_EQ(token, ((end.rank() - kRounds) % kRanks + kRanks) % kRanks);
  });
}

}  // namespace
}  // namespace convoy::comm
