// Victim: a well-behaved partition that accepts everybody at "victim/door" and notices when
// anything of its memory changes that it has not opened to others.
//
// Threading: serves on a thread of its own; check() and the handles may be used from the test's.
#pragma once

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstdint>
#include <string>
#include <thread>

namespace causeway::test {

class Victim {
public:
    static constexpr std::uint32_t kWindow = 64 << 10;  // bytes, of each of the regions
    static constexpr std::uint32_t kReceive = 256;      // bytes, of a posted receive

    explicit Victim(const std::string& socket);
    ~Victim();
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    [[nodiscard]] Remote window() const { return window_.remote(); }  // write, read, append
    [[nodiscard]] Remote read_only() const { return read_only_.remote(); }
    [[nodiscard]] Remote secret() const { return secret_.remote(); }  // no right at all
    [[nodiscard]] std::uint32_t receive_handle() const { return receives_.remote().handle; }

    // What was done to it that should not have been possible; empty if nothing.
    [[nodiscard]] std::string check() const;
    [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_.load(); }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_.load(); }
    void stop();

private:
    void run();

    Partition partition_;
    CompletionQueue queue_;
    Region window_, read_only_, secret_, receives_;
    Listener listener_;
    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> received_{0};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::string trouble_;  // written before failed_
    std::thread thread_;
};

}  // namespace causeway::test
