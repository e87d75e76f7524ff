// Goal: what `brevet models` prints is right and fits 100 columns. Method: fixed values, and every model of
// the embedded catalogue on every device.
#include "app/models_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "catalog/model_catalogue.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void expect_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), kTerminalColumns) << line;
    EXPECT_FALSE(line.ends_with(' ')) << "[" << line << "]";
  }
}

TEST(ModelsText, NumbersReadWell) {
  EXPECT_EQ(grouped(131'072), "131,072");
  EXPECT_EQ(grouped(12), "12");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(-1'234), "-1,234");
  EXPECT_EQ(grouped(std::nullopt), "?");
  EXPECT_EQ(parameters_text(8'030'261'248), "8.03B");
  EXPECT_EQ(parameters_text(134'515'008), "135M");
  EXPECT_EQ(parameters_text(std::nullopt), "?");
  EXPECT_EQ(price_text(std::nullopt), "?") << "never 0";
  EXPECT_EQ(price_text(ModelPrice{Money::from_usd(.15), Money::from_usd(.6)}), "0.15 / 0.6");
  EXPECT_EQ(speed_text(8.4714), "8.47");
  EXPECT_EQ(speed_text(88.06), "88");
  EXPECT_EQ(gigabytes(std::nullopt), "?");
}

TEST(ModelsText, LettersTellYesNoAndNotKnown) {
  ModelFacts model;
  EXPECT_EQ(capability_letters(model), "???????");
  model.has(Capability::kInstruct) = true;
  model.has(Capability::kVision) = false;
  EXPECT_EQ(capability_letters(model),
            "i????"
            "-?");
}

TEST(ModelsText, ATableNeverPassesTheEdge) {
  const auto text =
      table_text({"model", "b", "c"}, {{std::string(150, 'x'), "1", "22"}, {"short", "333", ""}});
  expect_narrow(text);
  EXPECT_THAT(text, HasSubstr("xx..  "));
  EXPECT_THAT(text, HasSubstr("short"));
  expect_narrow(wrapped("one two  " + std::string(60, 'a') + "  " + std::string(60, 'b'), 4));
}

TEST(ModelsText, DeploymentSaysItsFormulasAndFits) {
  for (const auto& device : device_profiles()) {
    for (const auto& [name, model] : ModelCatalogue::embedded().models())
      expect_narrow(deployment_text(model, device, {}));
  }
  const auto& llama = *ModelCatalogue::embedded().find("llama-3.1-8b-instruct");
  const auto text = deployment_text(llama, *find_device("a100-80gb"), {});
  EXPECT_THAT(text, HasSubstr("312 TOPS, 2039 GB/s, 80 GB of which 90% for a model"));
  EXPECT_THAT(text, HasSubstr("operations/s x 0.4 / (2 x active parameters)"));
  EXPECT_THAT(text, HasSubstr("17.67 GB"));
  const auto closed =
      deployment_text(*ModelCatalogue::embedded().find("gpt-4o"), *find_device("iphone-16"), {});
  EXPECT_THAT(closed, HasSubstr("weights are not published"));
  EXPECT_THAT(closed, Not(HasSubstr("format")));
  Device bare{"own", "your device"};
  EXPECT_THAT(deployment_text(llama, bare, {}), HasSubstr("? TOPS"));
}

}  // namespace
}  // namespace brevet
