// Refusals: valid requests that a part cannot serve, as values with a reason.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "convoy/base/check.h"

namespace convoy::base {

// Why a request is refused, in one line for a person: what, where, what to do.
struct Reason {
  std::string text;
};

// Either a T or the Reason why there is none. Reading the side that is absent is a bug.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Reason reason) : state_(std::move(reason)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    CONVOY_CHECK(ok(), reason_text());
    return std::get<T>(state_);
  }
  T&& value() && {
    CONVOY_CHECK(ok(), reason_text());
    return std::get<T>(std::move(state_));
  }
  const T& operator*() const& { return value(); }
  const T* operator->() const { return &value(); }

  const Reason& reason() const {
    CONVOY_CHECK(!ok(), "a Result that holds a value has no reason");
    return std::get<Reason>(state_);
  }

 private:
  std::string reason_text() const { return ok() ? std::string() : std::get<Reason>(state_).text; }

  std::variant<T, Reason> state_;
};

// Success, or the Reason for a refusal.
class [[nodiscard]] Verdict {
 public:
  Verdict() = default;
  Verdict(Reason reason) : reason_(std::move(reason)) {}

  bool ok() const { return !reason_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Reason& reason() const {
    CONVOY_CHECK(!ok(), "a positive verdict has no reason");
    return *reason_;
  }

 private:
  std::optional<Reason> reason_;
};

}  // namespace convoy::base
