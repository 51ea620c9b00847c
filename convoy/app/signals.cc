#include "convoy/app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "convoy/base/check.h"

namespace convoy::app {
namespace {

// A handler is a plain function: it reaches its token through the process's memory or not at all.
constinit std::atomic<base::StopToken*> g_stop{nullptr};
static_assert(std::atomic<base::StopToken*>::is_always_lock_free);

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGUSR1};
constinit std::array<struct sigaction, kSignals.size()> g_before{};

extern "C" void convoy_app_on_signal(int number) {
  base::StopToken* stop = g_stop.load(std::memory_order_relaxed);
  if (stop == nullptr) return;
  if (number == SIGUSR1) return stop->request_checkpoint();
  if (stop->stop_requested()) _exit(128 + number);
  stop->request_stop(number);
}

}  // namespace

SignalScope::SignalScope(base::StopToken& stop) {
  base::StopToken* none = nullptr;
  CONVOY_CHECK(g_stop.compare_exchange_strong(none, &stop), "signals have a receiver already");
  struct sigaction action = {};
  action.sa_handler = convoy_app_on_signal;
  action.sa_flags = SA_RESTART;  // system calls of loaders and checkpoints go on
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &g_before[i]);
}

SignalScope::~SignalScope() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &g_before[i], nullptr);
  g_stop.store(nullptr);
}

void ignore_broken_pipes() { signal(SIGPIPE, SIG_IGN); }

}  // namespace convoy::app
