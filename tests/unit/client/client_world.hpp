// A partition of the library, attached to an adapter that the test plays, by way of the C ABI.
#pragma once

#include <causeway/causeway.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "support/fake_adapter.hpp"

namespace causeway::test {

struct CloseAny {
    void operator()(cw_partition* p) const { cw_partition_close(p); }
    void operator()(cw_region* r) const { (void)!cw_region_close(r); }
    void operator()(cw_completion_queue* q) const { cw_completion_queue_close(q); }
    void operator()(cw_queue_pair* q) const { cw_queue_pair_close(q); }
    void operator()(cw_listener* l) const { cw_listener_close(l); }
};
template<typename T>
using Owned = std::unique_ptr<T, CloseAny>;

// Fails the test, with the library's text, where `error` is not CW_OK.
inline void must(int error) { ASSERT_EQ(error, CW_OK) << cw_error_text(); }

// The value of `f` once it equals `wanted`; after two seconds whatever it is then. For what the
// adapter's thread, which lives in the same process, lets go of only after it has replied.
template<typename T, typename F>
[[nodiscard]] T settle(const T& wanted, F&& f) {
    T value = f();
    for (int i = 0; i < 2000 && value != wanted; ++i) {
        ::usleep(1000);
        value = f();
    }
    return value;
}

class ClientTest : public testing::Test {
protected:
    ClientTest() {
        partition = attach("tester");
        cw_completion_queue* queue = nullptr;
        must(cw_completion_queue_create(partition.get(), 64, &queue));
        completions.reset(queue);
        memory = allocate(1 << 16);
    }
    [[nodiscard]] Owned<cw_partition> attach(const char* name, std::uint64_t patience_ns = 0) {
        const std::string path = adapter.socket();
        const cw_attach_options options{sizeof options, path.c_str(), name, patience_ns};
        cw_partition* out = nullptr;
        must(cw_partition_attach(&options, &out));
        return Owned<cw_partition>(out);
    }
    [[nodiscard]] Owned<cw_region> allocate(std::size_t size, std::uint32_t flags = 0) {
        cw_region* out = nullptr;
        must(cw_region_allocate(partition.get(), size, 0, flags, &out));
        return Owned<cw_region>(out);
    }
    // An idle queue pair, and the executor's end of it.
    struct Pair {
        Owned<cw_queue_pair> here;
        std::shared_ptr<FakeEnd> there;
    };
    [[nodiscard]] Pair create(std::uint32_t entries = 8) {
        cw_queue_pair_options options{};
        options.size = sizeof options;
        options.completions = completions.get();
        options.send_entries = entries;
        options.receive_entries = entries;
        options.user = this;
        cw_queue_pair* out = nullptr;
        must(cw_queue_pair_create(partition.get(), &options, &out));
        return {Owned<cw_queue_pair>(out), adapter.end(created_++)};
    }
    [[nodiscard]] Pair connect(std::uint32_t entries = 8) {
        Pair pair = create(entries);
        must(cw_queue_pair_connect(pair.here.get(), "other/service", 1'000'000'000));
        return pair;
    }
    [[nodiscard]] cw_slice slice(std::size_t offset, std::uint32_t length) const {
        return {static_cast<char*>(cw_region_data(memory.get())) + offset, length,
                cw_region_handle(memory.get())};
    }
    [[nodiscard]] char* bytes(std::size_t offset) const {
        return static_cast<char*>(cw_region_data(memory.get())) + offset;
    }
    [[nodiscard]] int send(const Pair& pair, std::uint64_t id, std::uint32_t length = 64,
                           std::uint32_t flags = 0) {
        const cw_slice one = slice(0, length);
        return cw_post_send(pair.here.get(), &one, 1, id, flags, 0);
    }
    [[nodiscard]] int receive(const Pair& pair, std::uint64_t id, std::uint32_t length = 64) {
        const cw_slice one = slice(4096, length);
        return cw_post_receive(pair.here.get(), &one, 1, id);
    }
    // All completions that are there now.
    [[nodiscard]] std::vector<cw_completion> poll() {
        std::vector<cw_completion> all;
        cw_completion batch[8];
        int n = 0;
        while ((n = cw_completion_queue_poll(completions.get(), batch, 8)) > 0)
            all.insert(all.end(), batch, batch + n);
        last_poll = n;
        return all;
    }

    FakeAdapter adapter;
    Owned<cw_partition> partition;
    Owned<cw_completion_queue> completions;
    Owned<cw_region> memory;
    int last_poll = 0;  // what ended poll()

private:
    std::size_t created_ = 0;
};

}  // namespace causeway::test
