// Progress: bytes and speed on standard error, for people.
//
// Threading: one thread.
#pragma once

#include <cstdint>

namespace causeway::pipe {

class Progress {
public:
    enum class Show { no, yes };
    explicit Progress(Show show);

    void sent(std::uint64_t bytes) noexcept { sent_ += bytes; }
    void received(std::uint64_t bytes) noexcept { received_ += bytes; }
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

    // A connection begins: the clock starts here.
    void begin();
    // Redraws the line, a few times a second at most.
    void tick();
    // The last state of the line, and a newline.
    void finish();

private:
    void draw(std::uint64_t now);

    Show show_;
    std::uint64_t start_ = 0;  // ns
    std::uint64_t drawn_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    bool line_open_ = false;
};

}  // namespace causeway::pipe
