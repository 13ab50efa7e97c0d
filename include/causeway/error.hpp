// Errors of the C++ API: names, and how C error codes become Results.
#pragma once

#include <causeway/causeway.h>

#include <causeway/result.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace causeway {

// Its name, such as "denied".
[[nodiscard]] inline std::string_view name(ErrorCode code) noexcept {
    return cw_error_name(static_cast<int>(code));
}
// Its name, such as "remote_access".
[[nodiscard]] inline std::string_view name(Status status) noexcept {
    return cw_status_name(static_cast<int>(status));
}

namespace detail {

[[nodiscard]] inline tl::unexpected<Error> last_error(int code) {
    return tl::unexpected<Error>(Error{static_cast<ErrorCode>(code), cw_error_text()});
}

[[nodiscard]] inline Result<void> check(int code) {
    if (code == CW_OK)
        return {};
    return last_error(code);
}

// Owns one C handle; Close frees it.
template<typename T, auto Close>
class Handle {
public:
    Handle() = default;
    explicit Handle(T* raw) noexcept : raw_(raw) {}
    Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { reset(); }

    [[nodiscard]] T* get() const noexcept { return raw_; }
    [[nodiscard]] T* release() noexcept { return std::exchange(raw_, nullptr); }
    void reset() noexcept {
        if (raw_ == nullptr)
            return;
        if constexpr (std::is_void_v<decltype(Close(raw_))>) {
            Close(std::exchange(raw_, nullptr));
        } else {
            [[maybe_unused]] const auto ignored = Close(std::exchange(raw_, nullptr));
        }
    }

private:
    T* raw_ = nullptr;
};

}  // namespace detail
}  // namespace causeway
