using StableTune;
using StableTune.Samples;

// A web application that trains: a queue, progress as server-sent events, loss curve and samples on one page, pause, stop and cancel.
//   bash samples/run.sh HostedTrainer [--urls http://127.0.0.1:5080] [--HostedTrainer:Folder FOLDER] [--StableTune:Model MODEL]
var web = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
var folder = Path.GetFullPath(web.Configuration["HostedTrainer:Folder"] ?? Path.Combine("out", "hosted-trainer"));
if (string.IsNullOrEmpty(web.Configuration["StableTune:Model"]))
{
    web.Configuration["StableTune:Model"] = Path.Combine(folder, "model");
    TinyModel.Unpack(Path.Combine(folder, "model"));
}

if (string.IsNullOrEmpty(web.Configuration["urls"])) web.WebHost.UseUrls("http://127.0.0.1:5080");
web.Services.AddStableTune(web.Configuration.GetSection("StableTune")).AddTrainingQueue();
web.Services.AddSingleton(new Trainings(folder)).AddProblemDetails();
// The present step is finished, and what was trained is saved, before the program ends.
web.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(5));

var app = web.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseHostFiltering();                                                      // AllowedHosts: pages of other names cannot reach it
app.UseDefaultFiles();
app.UseStaticFiles();
app.MapTrainings();
app.Run();
