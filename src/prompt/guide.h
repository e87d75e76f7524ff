// Guides in prompts: how one is asked for, cleaned and put in front of a request.
//
// Called by shadow plans and by strategies that serve with a guide. Pure, thread-safe. The wording is our
// own; that a guide explains the way and never the answer is RAR's (arXiv 2411.09837). Whether a written
// guide keeps to that is leak_check.h's business.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

/// Stands in front of a guide in the user's message.
inline constexpr std::string_view kGuideHeader = "Guide for questions of this kind:";
/// About 250 tokens: a longer guide costs more on every use than it can earn back.
inline constexpr std::size_t kGuideBytesMax = 1000;
/// For the call that writes one: room for a preamble that cleaning removes.
inline constexpr int kGuideTokensMax = 320;

/// The prompt that asks the strong model for a guide to questions like this one. The system message starts
/// with kGuideMarker.
std::vector<PlainMessage> guide_writing_messages(std::string_view question);

/// The guide in a model's answer: without preamble, code fences and headings, cut at a sentence end within
/// kGuideBytesMax. Empty when nothing usable is left.
std::string clean_guide(std::string_view written);

/// Puts the guide in front of the last user message, after kGuideHeader. The system prompt stays as it is, so
/// that a provider's prompt cache of it stays valid. Empty edits for an empty guide.
MessageEdits guide_edits(const std::string& guide);

}  // namespace brevet
