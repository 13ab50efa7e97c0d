#include "client/fork_guard.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

using Word = std::atomic<std::uint64_t>;

// Never unmapped: objects of the process refer to it for as long as it runs.
std::atomic<Word*> g_word{nullptr};
// In ordinary memory, so that a child goes on counting where its parent stood.
std::atomic<std::uint64_t> g_next_number{1};

void wipe_in_child() noexcept { g_word.load(std::memory_order_acquire)->store(0); }

[[nodiscard]] Result<Word*> make_word() {
    void* page = ::mmap(nullptr, platform::kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return fail_errno("map a page for noticing forks", errno);
    const bool wiped = ::madvise(page, platform::kPage, MADV_WIPEONFORK) == 0;
    auto* word = new (page) Word(0);
    Word* expected = nullptr;
    // SYNC(fork-word): release, pairs with the acquire loads; forbids to see the pointer before the
    // page's first word.
    if (!g_word.compare_exchange_strong(expected, word, std::memory_order_acq_rel)) {
        ::munmap(page, platform::kPage);  // another thread was faster
        return expected;
    }
    // Kernels before 4.14: fork() of the C library wipes it.
    if (!wiped) {
        const int err = ::pthread_atfork(nullptr, nullptr, wipe_in_child);
        if (err != 0)
            return fail_errno("register a fork handler", err);
    }
    return word;
}

}  // namespace

Result<ForkGuard> ForkGuard::of_this_process() {
    Word* word = g_word.load(std::memory_order_acquire);  // SYNC(fork-word)
    if (word == nullptr) {
        CW_TRY_ASSIGN(word, make_word());
    }
    std::uint64_t number = word->load(std::memory_order_relaxed);
    if (number == 0) {
        const std::uint64_t mine = g_next_number.fetch_add(1, std::memory_order_relaxed);
        if (word->compare_exchange_strong(number, mine, std::memory_order_relaxed))
            number = mine;
    }
    return ForkGuard(word, number);
}

}  // namespace causeway::client
