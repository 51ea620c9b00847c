#include "convoy/data/digit_glyphs.h"

#include <array>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

using enum Pen;

constexpr Knot kZeroOval[] = {{0.55f, 0.02f, lift},   {0.22f, 0.12f, smooth}, {0.03f, 0.48f, smooth},
                              {0.20f, 0.88f, smooth}, {0.52f, 0.99f, smooth}, {0.83f, 0.83f, smooth},
                              {0.97f, 0.47f, smooth}, {0.82f, 0.12f, smooth}, {0.53f, 0.01f, smooth}};
constexpr Knot kZeroOverlapped[] = {{0.70f, 0.08f, lift},   {0.40f, 0.03f, smooth}, {0.10f, 0.30f, smooth},
                                    {0.06f, 0.68f, smooth}, {0.35f, 0.97f, smooth}, {0.72f, 0.92f, smooth},
                                    {0.95f, 0.60f, smooth}, {0.88f, 0.22f, smooth}, {0.62f, 0.05f, smooth},
                                    {0.35f, 0.10f, smooth}};
constexpr Knot kZeroNarrow[] = {{0.45f, 0.00f, lift},   {0.17f, 0.25f, smooth}, {0.14f, 0.70f, smooth},
                                {0.45f, 1.00f, smooth}, {0.80f, 0.78f, smooth}, {0.84f, 0.30f, smooth},
                                {0.50f, 0.00f, smooth}};
constexpr Glyph kZero[] = {kZeroOval, kZeroOverlapped, kZeroNarrow};

constexpr Knot kOneBar[] = {{0.50f, 0.00f, lift}, {0.50f, 0.50f, smooth}, {0.50f, 1.00f, smooth}};
constexpr Knot kOneFlag[] = {
    {0.26f, 0.24f, lift}, {0.52f, 0.00f, corner}, {0.52f, 0.50f, smooth}, {0.52f, 1.00f, smooth}};
constexpr Knot kOneFoot[] = {{0.24f, 0.22f, lift},   {0.52f, 0.00f, corner}, {0.52f, 0.50f, smooth},
                             {0.52f, 1.00f, corner}, {0.20f, 1.00f, lift},   {0.84f, 0.99f, smooth}};
constexpr Knot kOneBent[] = {{0.62f, 0.00f, lift}, {0.50f, 0.50f, smooth}, {0.45f, 1.00f, smooth}};
constexpr Glyph kOne[] = {kOneBar, kOneFlag, kOneFoot, kOneBent};

constexpr Knot kTwoPlain[] = {{0.08f, 0.25f, lift},   {0.30f, 0.03f, smooth}, {0.70f, 0.04f, smooth},
                              {0.88f, 0.28f, smooth}, {0.65f, 0.58f, smooth}, {0.08f, 0.98f, corner},
                              {0.50f, 0.97f, smooth}, {0.97f, 0.95f, smooth}};
constexpr Knot kTwoLoop[] = {{0.10f, 0.22f, lift},   {0.38f, 0.02f, smooth}, {0.78f, 0.10f, smooth},
                             {0.82f, 0.38f, smooth}, {0.50f, 0.72f, smooth}, {0.15f, 0.97f, smooth},
                             {0.03f, 0.86f, smooth}, {0.20f, 0.76f, smooth}, {0.48f, 0.90f, smooth},
                             {0.75f, 1.00f, smooth}, {1.00f, 0.90f, smooth}};
constexpr Knot kTwoWave[] = {{0.05f, 0.18f, lift},   {0.40f, 0.00f, smooth}, {0.85f, 0.15f, smooth},
                             {0.75f, 0.45f, smooth}, {0.35f, 0.78f, smooth}, {0.05f, 1.00f, corner},
                             {0.35f, 0.90f, smooth}, {0.65f, 0.98f, smooth}, {0.98f, 0.88f, smooth}};
constexpr Glyph kTwo[] = {kTwoPlain, kTwoLoop, kTwoWave};

constexpr Knot kThreeRound[] = {{0.08f, 0.14f, lift},   {0.45f, 0.00f, smooth}, {0.85f, 0.15f, smooth},
                                {0.75f, 0.38f, smooth}, {0.40f, 0.47f, corner}, {0.80f, 0.56f, smooth},
                                {0.95f, 0.78f, smooth}, {0.60f, 0.99f, smooth}, {0.05f, 0.88f, smooth}};
constexpr Knot kThreeFlat[] = {{0.08f, 0.03f, lift},   {0.85f, 0.03f, corner}, {0.42f, 0.42f, corner},
                               {0.80f, 0.52f, smooth}, {0.93f, 0.76f, smooth}, {0.60f, 0.99f, smooth},
                               {0.06f, 0.90f, smooth}};
constexpr Knot kThreeLoop[] = {{0.10f, 0.12f, lift},   {0.50f, 0.00f, smooth}, {0.85f, 0.18f, smooth},
                               {0.62f, 0.42f, smooth}, {0.38f, 0.50f, smooth}, {0.35f, 0.42f, smooth},
                               {0.55f, 0.44f, smooth}, {0.90f, 0.62f, smooth}, {0.80f, 0.92f, smooth},
                               {0.40f, 1.00f, smooth}, {0.04f, 0.86f, smooth}};
constexpr Glyph kThree[] = {kThreeRound, kThreeFlat, kThreeLoop};

constexpr Knot kFourOpen[] = {{0.20f, 0.02f, lift}, {0.05f, 0.58f, corner}, {0.95f, 0.56f, smooth},
                              {0.72f, 0.10f, lift}, {0.70f, 0.55f, smooth}, {0.68f, 1.00f, smooth}};
constexpr Knot kFourClosed[] = {{0.70f, 0.02f, lift},
                                {0.05f, 0.66f, corner},
                                {0.98f, 0.66f, smooth},
                                {0.70f, 0.02f, lift},
                                {0.70f, 1.00f, smooth}};
constexpr Knot kFourCurved[] = {{0.12f, 0.03f, lift},   {0.08f, 0.40f, smooth}, {0.35f, 0.55f, smooth},
                                {0.85f, 0.47f, smooth}, {0.88f, 0.02f, lift},   {0.82f, 0.50f, smooth},
                                {0.76f, 1.00f, smooth}};
constexpr Knot kFourSteep[] = {{0.42f, 0.00f, lift}, {0.04f, 0.62f, corner}, {0.98f, 0.58f, smooth},
                               {0.66f, 0.32f, lift}, {0.62f, 0.66f, smooth}, {0.58f, 1.00f, smooth}};
constexpr Glyph kFour[] = {kFourOpen, kFourClosed, kFourCurved, kFourSteep};

constexpr Knot kFiveHat[] = {{0.20f, 0.03f, lift},   {0.15f, 0.42f, corner}, {0.50f, 0.36f, smooth},
                             {0.90f, 0.58f, smooth}, {0.75f, 0.92f, smooth}, {0.30f, 1.00f, smooth},
                             {0.05f, 0.88f, smooth}, {0.20f, 0.03f, lift},   {0.92f, 0.02f, smooth}};
constexpr Knot kFiveAngular[] = {{0.90f, 0.02f, lift},   {0.22f, 0.03f, corner}, {0.16f, 0.44f, corner},
                                 {0.55f, 0.38f, smooth}, {0.92f, 0.62f, smooth}, {0.72f, 0.94f, smooth},
                                 {0.35f, 1.00f, smooth}, {0.05f, 0.90f, smooth}};
constexpr Knot kFiveFlowing[] = {{0.92f, 0.05f, lift},   {0.45f, 0.02f, smooth}, {0.15f, 0.18f, smooth},
                                 {0.30f, 0.42f, smooth}, {0.75f, 0.55f, smooth}, {0.88f, 0.80f, smooth},
                                 {0.50f, 1.00f, smooth}, {0.05f, 0.92f, smooth}};
constexpr Glyph kFive[] = {kFiveHat, kFiveAngular, kFiveFlowing};

constexpr Knot kSixCurved[] = {{0.80f, 0.02f, lift},   {0.35f, 0.25f, smooth}, {0.08f, 0.62f, smooth},
                               {0.22f, 0.95f, smooth}, {0.60f, 0.99f, smooth}, {0.90f, 0.76f, smooth},
                               {0.66f, 0.52f, smooth}, {0.30f, 0.58f, smooth}, {0.10f, 0.76f, smooth}};
constexpr Knot kSixStraight[] = {{0.62f, 0.00f, lift},   {0.25f, 0.40f, smooth}, {0.08f, 0.75f, smooth},
                                 {0.35f, 1.00f, smooth}, {0.78f, 0.92f, smooth}, {0.82f, 0.66f, smooth},
                                 {0.50f, 0.55f, smooth}, {0.18f, 0.70f, smooth}};
constexpr Knot kSixCurl[] = {{0.90f, 0.12f, lift},   {0.62f, 0.00f, smooth}, {0.25f, 0.18f, smooth},
                             {0.05f, 0.60f, smooth}, {0.25f, 0.96f, smooth}, {0.68f, 0.96f, smooth},
                             {0.88f, 0.70f, smooth}, {0.60f, 0.50f, smooth}, {0.20f, 0.60f, smooth}};
constexpr Glyph kSix[] = {kSixCurved, kSixStraight, kSixCurl};

constexpr Knot kSevenPlain[] = {
    {0.05f, 0.05f, lift}, {0.92f, 0.03f, corner}, {0.62f, 0.50f, smooth}, {0.35f, 1.00f, smooth}};
constexpr Knot kSevenBarred[] = {{0.05f, 0.05f, lift},   {0.92f, 0.03f, corner}, {0.62f, 0.50f, smooth},
                                 {0.38f, 1.00f, smooth}, {0.25f, 0.52f, lift},   {0.85f, 0.48f, smooth}};
constexpr Knot kSevenCurved[] = {{0.08f, 0.08f, lift},   {0.50f, 0.04f, smooth}, {0.93f, 0.05f, corner},
                                 {0.65f, 0.38f, smooth}, {0.50f, 0.70f, smooth}, {0.48f, 1.00f, smooth}};
constexpr Knot kSevenHooked[] = {{0.08f, 0.22f, lift},
                                 {0.10f, 0.05f, corner},
                                 {0.92f, 0.04f, corner},
                                 {0.60f, 0.45f, smooth},
                                 {0.40f, 1.00f, smooth}};
constexpr Glyph kSeven[] = {kSevenPlain, kSevenBarred, kSevenCurved, kSevenHooked};

constexpr Knot kEightSingle[] = {{0.80f, 0.12f, lift},   {0.45f, 0.00f, smooth}, {0.15f, 0.20f, smooth},
                                 {0.45f, 0.46f, smooth}, {0.82f, 0.70f, smooth}, {0.62f, 0.98f, smooth},
                                 {0.25f, 0.96f, smooth}, {0.12f, 0.72f, smooth}, {0.45f, 0.48f, smooth},
                                 {0.80f, 0.26f, smooth}, {0.74f, 0.08f, smooth}};
constexpr Knot kEightStacked[] = {{0.50f, 0.00f, lift},   {0.20f, 0.12f, smooth}, {0.25f, 0.40f, smooth},
                                  {0.52f, 0.47f, smooth}, {0.80f, 0.36f, smooth}, {0.78f, 0.10f, smooth},
                                  {0.50f, 0.00f, smooth}, {0.50f, 0.47f, lift},   {0.12f, 0.62f, smooth},
                                  {0.15f, 0.92f, smooth}, {0.52f, 1.00f, smooth}, {0.88f, 0.90f, smooth},
                                  {0.88f, 0.62f, smooth}, {0.50f, 0.47f, smooth}};
constexpr Knot kEightOpen[] = {{0.90f, 0.05f, lift},   {0.45f, 0.02f, smooth}, {0.15f, 0.22f, smooth},
                               {0.50f, 0.48f, smooth}, {0.85f, 0.72f, smooth}, {0.60f, 1.00f, smooth},
                               {0.18f, 0.90f, smooth}, {0.25f, 0.66f, smooth}, {0.60f, 0.42f, smooth},
                               {0.92f, 0.10f, smooth}};
constexpr Glyph kEight[] = {kEightSingle, kEightStacked, kEightOpen};

constexpr Knot kNineStraight[] = {{0.85f, 0.22f, lift},   {0.55f, 0.01f, smooth}, {0.12f, 0.18f, smooth},
                                  {0.25f, 0.46f, smooth}, {0.65f, 0.42f, smooth}, {0.87f, 0.15f, corner},
                                  {0.84f, 0.55f, smooth}, {0.80f, 1.00f, smooth}};
constexpr Knot kNineCurved[] = {{0.82f, 0.20f, lift},   {0.50f, 0.00f, smooth}, {0.10f, 0.22f, smooth},
                                {0.28f, 0.50f, smooth}, {0.70f, 0.40f, smooth}, {0.85f, 0.16f, corner},
                                {0.86f, 0.50f, smooth}, {0.65f, 0.85f, smooth}, {0.28f, 1.00f, smooth}};
constexpr Knot kNineHooked[] = {{0.84f, 0.20f, lift},   {0.52f, 0.01f, smooth}, {0.12f, 0.20f, smooth},
                                {0.26f, 0.48f, smooth}, {0.66f, 0.42f, smooth}, {0.88f, 0.12f, corner},
                                {0.90f, 0.60f, smooth}, {0.75f, 0.93f, smooth}, {0.40f, 1.00f, smooth},
                                {0.10f, 0.88f, smooth}};
constexpr Knot kNineSlanted[] = {{0.82f, 0.14f, lift},   {0.42f, 0.02f, smooth}, {0.12f, 0.26f, smooth},
                                 {0.40f, 0.46f, smooth}, {0.82f, 0.18f, corner}, {0.64f, 0.60f, smooth},
                                 {0.46f, 1.00f, smooth}};
constexpr Glyph kNine[] = {kNineStraight, kNineCurved, kNineHooked, kNineSlanted};

constexpr std::array<std::span<const Glyph>, 10> kGlyphs = {kZero, kOne, kTwo,   kThree, kFour,
                                                            kFive, kSix, kSeven, kEight, kNine};

}  // namespace

std::span<const Glyph> digit_glyphs(int digit) {
  CONVOY_CHECK(digit >= 0 && digit < 10, "digit = ", digit);
  return kGlyphs[static_cast<std::size_t>(digit)];
}

}  // namespace convoy::data
