// Device: executes orders upon an image, each by the way that costs least: at once where the page
// cache has the data, by io_uring, or by threads.
//
// Threading: one thread, the one that made it.
// Ownership: owns ring and threads; borrows image and memory, which outlive it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/block/unit/uring.hpp"
#include "io/block/unit/worker_pool.hpp"

namespace causeway::io::block {

enum class Engine : std::uint8_t { best, threads };

class Device {
public:
    static constexpr std::uint32_t kDepth = 256;  // orders under way, at most
    static constexpr std::uint32_t kThreads = 4;  // without io_uring
    static constexpr std::uint32_t kHelpers = 1;  // with it: for what it does not do

    [[nodiscard]] static Result<std::unique_ptr<Device>> make(Image& image, Engine engine,
                                                              std::span<std::byte> own);

    // Does what would not wait for anything here and now: its outcome (errno). None: it is to be
    // submitted.
    [[nodiscard]] std::optional<int> try_at_once(const Order& order) noexcept;
    // What try_at_once() has not done: ended() has it later; else the outcome. At most kDepth may
    // be under way.
    [[nodiscard]] std::optional<int> submit(const Order& order) noexcept;
    // Hands over what was submitted, and looks for what has ended, until the next call.
    [[nodiscard]] std::span<const Ended> ended() noexcept;
    [[nodiscard]] std::uint32_t under_way() const noexcept { return under_way_; }
    // For poll(); negative: none.
    [[nodiscard]] std::array<int, 2> files() const noexcept {
        return {uring_ ? uring_->fd() : -1, pool_->fd()};
    }
    // Why io_uring is not used; empty: it is.
    [[nodiscard]] const std::string& fallback() const noexcept { return fallback_; }

private:
    explicit Device(Image& image) noexcept : image_(image) {}

    Image& image_;
    std::uint32_t under_way_ = 0;
    bool cached_reads_ = false;  // reading what is cached may be tried at once
    std::string fallback_;
    std::vector<Ended> ended_;
    std::unique_ptr<WorkerPool> pool_;
    std::unique_ptr<Uring> uring_;
};

}  // namespace causeway::io::block
