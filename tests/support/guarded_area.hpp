// GuardedArea: memory between canaries and pages without access, for tests that prove that nothing
// else is touched. A write past either end changes a canary or faults; a read past the end that
// touches a page boundary faults.
//
// Threading: as plain memory. Ownership: owns its pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace causeway::test {

class GuardedArea {
public:
    static constexpr std::size_t kPage = 4096;
    static constexpr std::byte kCanary{0xc5};

    enum class Place {
        at_start,  // begins where the page without access ends
        at_end,    // ends where the page without access begins
    };

    explicit GuardedArea(std::size_t size, Place place = Place::at_end)
        : size_(size), usable_((size + kPage - 1) / kPage * kPage + kPage) {
        void* pages = ::mmap(nullptr, usable_ + 2 * kPage, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (pages == MAP_FAILED)
            std::abort();
        pages_ = static_cast<std::byte*>(pages);
        allow();
        std::memset(begin(), static_cast<int>(kCanary), usable_);
        data_ = place == Place::at_start ? begin() : begin() + usable_ - size;
        std::memset(data_, 0, size);
    }
    GuardedArea(const GuardedArea&) = delete;
    GuardedArea& operator=(const GuardedArea&) = delete;
    ~GuardedArea() { ::munmap(pages_, usable_ + 2 * kPage); }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

    // Are all bytes around the data as they were?
    [[nodiscard]] bool intact() const noexcept {
        for (const std::byte* at = begin(); at < begin() + usable_; ++at) {
            if (at == data_ && size_ != 0) {
                at += size_ - 1;
            } else if (*at != kCanary) {
                return false;
            }
        }
        return true;
    }
    // Takes the pages from the one that holds data()[offset] on away: accesses fault.
    void forbid(std::size_t offset = 0) noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(data_ + offset) / kPage * kPage;
        auto* from = reinterpret_cast<std::byte*>(at);
        if (::mprotect(from, static_cast<std::size_t>(begin() + usable_ - from), PROT_NONE) != 0) {
            std::abort();
        }
    }
    void allow() noexcept {
        if (::mprotect(begin(), usable_, PROT_READ | PROT_WRITE) != 0)
            std::abort();
    }

private:
    [[nodiscard]] std::byte* begin() const noexcept { return pages_ + kPage; }

    std::size_t size_;
    std::size_t usable_;
    std::byte* pages_ = nullptr;
    std::byte* data_ = nullptr;
};

}  // namespace causeway::test
