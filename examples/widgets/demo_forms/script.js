define(['jquery'], function ($) {
  'use strict';

  var FORMS = 'https://forms.widget-registry.test';
  var DEFAULT_FIELDS = ['name', 'phone'];

  var CustomWidget = function () {
    var self = this;

    // A "custom" setting is stored as text: one field name per line.
    var fields = function () {
      var names = $.map(String(self.get_settings().fields || '').split(/\s*\n\s*/), function (name) {
        return $.trim(name) || null;
      });
      return names.length ? names : DEFAULT_FIELDS;
    };

    var snippet = function (form_id) {
      return $('<textarea readonly rows="3">').val(
        '<script async src="' + FORMS + '/embed.js" data-form="' + encodeURIComponent(form_id) + '"></' + 'script>'
      );
    };

    this.callbacks = {
      render: function () {
        return true;
      },
      init: function () {
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function ($modal_body) {
        $modal_body.find('input[name="form_title"]').attr('placeholder', self.i18n('form').default_title);
        return true;
      },
      onSave: function () {
        return true;
      },
      // The widget becomes a lead source of the pipeline: make its form and show the code for the site.
      onAddAsSource: function (pipeline_id) {
        var settings = self.get_settings();

        self.crm_post(
          FORMS + '/forms',
          {
            pipeline_id: pipeline_id,
            title: settings.form_title || self.i18n('form').default_title,
            fields: fields()
          },
          function (form) {
            $('.widget_settings_block__descr').last()
              .append($('<p>').text(self.i18n('form').snippet), snippet(form.id));
          },
          'json',
          function () {
            AMOCRM.notifications.show_message({
              header: self.i18n('widget').name,
              text: self.i18n('form').failed
            });
          }
        );
      },
      destroy: function () {}
    };
    return this;
  };

  return CustomWidget;
});
