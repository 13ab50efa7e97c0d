// InProcessAdapter: an adapter inside the test program: its server on a thread of its own, in a
// directory of its own.
//
// Threading: the test's thread makes and destroys it; the server runs beside it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapter/server.hpp"
#include "platform/limits.hpp"
#include "support/eventually.hpp"
#include "support/own_holdings.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {

class InProcessAdapter {
public:
    using Change = std::function<void(adapter::ServerOptions&)>;

    // Entrances a and b beside the open one. `later`: it listens, but serves only after run().
    explicit InProcessAdapter(const Change& change = nullptr, bool later = false,
                              adapter::Log log = adapter::make_silent_log()) {
        adapter::ServerOptions options;
        options.runtime_directory = directory_.path();
        options.entrances = {"a", "b"};
        options.fabric.movers = 1;
        options.fabric.quota.max_bytes = std::uint64_t{1} << 30;
        options.fabric.max_files = platform::raise_open_file_limit();
        options.fabric.max_mappings = platform::max_map_count();
        if (change)
            change(options);
        auto started = adapter::Server::start(std::move(options), std::move(log));
        if (!started)
            throw std::runtime_error("the adapter does not start: " + started.error().text);
        server_ = std::move(*started);
        if (!later)
            run();
    }
    void run() {
        thread_ = std::thread([this] { outcome_ = server_->run(); });
    }
    ~InProcessAdapter() { EXPECT_TRUE(stop().has_value()); }
    InProcessAdapter(const InProcessAdapter&) = delete;
    InProcessAdapter& operator=(const InProcessAdapter&) = delete;

    Result<void> stop() {
        if (thread_.joinable()) {
            server_->stop();
            thread_.join();
            server_.reset();
        }
        return outcome_;
    }
    // Runs `act` on the control thread, and waits for it.
    void on_control(const std::function<void(adapter::Fabric&)>& act) {
        std::promise<void> done;
        server_->post([&](adapter::Fabric& fabric) {
            act(fabric);
            done.set_value();
        });
        done.get_future().wait();
    }
    // Of the open entrance, or a named one.
    [[nodiscard]] std::string socket(const std::string& entrance = "") const {
        return directory_.path() + (entrance.empty() ? "" : "/" + entrance) + "/fabric.sock";
    }
    [[nodiscard]] const std::string& directory() const { return directory_.path(); }
    // Where it gives out metrics, if it was asked to.
    [[nodiscard]] std::uint16_t metrics_port() const { return server_->metrics_port(); }
    // The server's thread.
    [[nodiscard]] std::thread& thread() { return thread_; }

private:
    TempDirectory directory_;
    std::unique_ptr<adapter::Server> server_;
    Result<void> outcome_;
    std::thread thread_;
};

}  // namespace causeway::test
