using System.Text.Json;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Tests.Configuration;

/// <summary>The references' schedules as their options ask for them: rates step by step, and what they refuse.</summary>
public sealed class ScheduleFixtureTests
{
    // The README of the fixture: relative 1e-6, absolute 1e-12.
    private const double Relative = 1e-6, Absolute = 1e-12;

    private static readonly JsonDocument s_fixture = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("optim", "lr_schedules.json")));

    public static TheoryData<string> WithRates() => Names(reference => reference.TryGetProperty("lr", out _));

    public static TheoryData<string> Refused() => Names(reference => reference.TryGetProperty("error", out _));

    [Theory]
    [MemberData(nameof(WithRates))]
    public void Rates_AreThoseOfTheReference(string name)
    {
        var reference = Case(name);
        double[] initial = [.. s_fixture.RootElement.GetProperty("base_lr_per_group").EnumerateArray().Select(rate => rate.GetDouble())];
        var plan = Read(reference);
        Assert.Empty(plan.Schedule.Validate().Concat(plan.Schedule.Fits(plan, null)));
        // With several processes the reference builds its schedule for the steps of all, and steps it once for each.
        var steps = reference.GetProperty("arguments").GetProperty("max_train_steps").GetInt32()
            * reference.GetProperty("num_processes").GetInt32();
        var schedule = plan.Schedule.Create(new ScheduleSetup(steps) { LearningRate = plan.LearningRate });
        var step = 0;
        foreach (var expected in reference.GetProperty("lr").EnumerateArray())
        {
            for (var group = 0; group < initial.Length; group++)
            {
                var (wanted, given) = (expected[group].GetDouble(), schedule.Rate(step, initial[group]));
                Assert.True(Math.Abs(given - wanted) <= Absolute + (Relative * wanted), $"step {step}: {given} instead of {wanted}");
            }

            step++;
        }

        Assert.True(step > steps);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void WhatTheReferenceRefuses_IsRefused(string name)
    {
        var reference = Case(name);
        IReadOnlyList<OptionProblem> problems;
        try
        {
            var plan = Read(reference);
            problems = [.. plan.Schedule.Validate(), .. plan.Schedule.Fits(plan, null)];
        }
        catch (InvalidOptionsException fault)
        {
            problems = fault.Problems;
        }

        Assert.NotEmpty(problems);
        Assert.All(problems, problem => Assert.True(problem.ToString().Length > 40));
    }

    [Theory]
    [InlineData("lr_warmup_steps", "10%")]
    [InlineData("lr_warmup_steps", "0.1")]
    [InlineData("lr_warmup_steps", "6")]
    public void Warmup_IsStepsOrPartOrPercent(string option, string value)
    {
        var plan = RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network), "--lr_scheduler", "linear",
            "--max_train_steps", "60", "--" + option, value]).Builder.Plan;
        Assert.Equal(6, plan.Schedule.WarmupSteps(60));
    }

    [Fact]
    public void AScheduleOfAnotherKind_DoesNotTakeOptionsInSilence()
    {
        var read = RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network), "--lr_scheduler", "cosine",
            "--lr_scheduler_num_cycles", "4", "--lr_decay_steps", "10"]);
        Assert.Contains(read.Notes, note => note.Contains("lr_scheduler_num_cycles is 4", StringComparison.Ordinal));
        Assert.Contains(read.Notes, note => note.Contains("lr_decay_steps is 10 steps", StringComparison.Ordinal));
        var fault = Assert.Throws<InvalidOptionsException>(() => RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network),
            "--lr_scheduler", "points", "--lr_scheduler_args", "points=0-1"]));
        Assert.Contains("0-1", fault.Message, StringComparison.Ordinal);
        Assert.Contains("place:factor", fault.Message, StringComparison.Ordinal);
    }

    private static TheoryData<string> Names(Func<JsonElement, bool> which)
    {
        var names = new TheoryData<string>();
        foreach (var reference in s_fixture.RootElement.GetProperty("cases").EnumerateArray().Where(which).Where(IsOurs))
            names.Add(reference.GetProperty("case").GetString()!);
        return names;
    }

    /// <summary>Not AdaFactor's own schedule, which is tested with it, and not the reference's faults with a number that is None: options
    /// that are not given have their default here.</summary>
    private static bool IsOurs(JsonElement reference) =>
        !reference.GetProperty("case").GetString()!.StartsWith("adafactor", StringComparison.Ordinal)
        && !(reference.TryGetProperty("error", out var error) && error.GetString() == "TypeError"
            && reference.GetProperty("message").GetString()!.Contains("'NoneType'", StringComparison.Ordinal));

    private static JsonElement Case(string name) => s_fixture.RootElement.GetProperty("cases").EnumerateArray()
        .Single(reference => reference.GetProperty("case").GetString() == name);

    /// <summary>The arguments of a case as they are typed; the run's rate is that of the first group, as the optimizer's default
    /// there.</summary>
    private static TrainingPlan Read(JsonElement reference)
    {
        List<string> words = [.. OptionNameTests.Base(RunScript.Network), "--learning_rate",
            s_fixture.RootElement.GetProperty("base_lr_per_group")[0].GetRawText()];
        foreach (var argument in reference.GetProperty("arguments").EnumerateObject().Where(argument =>
            argument.Value.ValueKind != JsonValueKind.Null && argument.Value.ToString() != "ignored"))
        {
            words.Add("--" + argument.Name);
            if (argument.Value.ValueKind == JsonValueKind.Array)
                words.AddRange(argument.Value.EnumerateArray().Select(one => one.GetString()!));
            else words.Add(argument.Value.ToString());
        }

        return RunConfiguration.Parse(words).Builder.Plan;
    }
}
